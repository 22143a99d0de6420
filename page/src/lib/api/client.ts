/**
 * The REST API by fetch. What the engine or the library changes goes over the channel as well;
 * REST is for what is large or needed before there is a channel.
 */

import { t } from "../strings";
import { Problem, problemOf } from "./problem";

type Query = Record<string, string | number | boolean | undefined>;

interface Options {
  body?: unknown;
  query?: Query;
  signal?: AbortSignal;
}

let onSignedOut: () => void = () => undefined;

/** Call a function whenever a request finds that the session has ended. */
export function whenSignedOut(action: () => void) {
  onSignedOut = action;
}

async function bodyOf(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch {
    return null; // not JSON: a proxy's page
  }
}

function addressOf(path: string, query: Query = {}): string {
  const given = Object.entries(query).filter((entry) => entry[1] !== undefined);
  const text = new URLSearchParams(given.map(([key, value]) => [key, String(value)])).toString();
  return text ? `${path}?${text}` : path;
}

async function request<Answer>(method: string, path: string, options: Options = {}): Promise<Answer> {
  const init: RequestInit = { method, credentials: "same-origin" };
  if (options.signal) init.signal = options.signal;
  if (options.body !== undefined) {
    init.headers = { "Content-Type": "application/json" };
    init.body = JSON.stringify(options.body);
  }
  let response: Response;
  try {
    response = await fetch(addressOf(path, options.query), init);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Problem(0, "network", t.error.network, t.error.networkHint);
  }
  const body = await bodyOf(response);
  if (!response.ok) {
    const problem = problemOf(response.status, body, response.headers.get("Retry-After"));
    if (response.status === 401 && problem.code !== "wrong_password") onSignedOut();
    throw problem;
  }
  return body as Answer;
}

export const api = {
  get: <Answer>(path: string, query?: Query, signal?: AbortSignal) =>
    request<Answer>("GET", path, { ...(query && { query }), ...(signal && { signal }) }),
  post: <Answer>(path: string, body: unknown = {}, signal?: AbortSignal) =>
    request<Answer>("POST", path, { body, ...(signal && { signal }) }),
  patch: <Answer>(path: string, body: unknown) => request<Answer>("PATCH", path, { body }),
  delete: <Answer>(path: string) => request<Answer>("DELETE", path),
};
