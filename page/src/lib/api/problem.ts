/** Errors of the REST API (RFC 9457), as exceptions with a message and a hint. */

import { CallError } from "../channel";
import { t } from "../strings";

export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly hint = "",
    /** Seconds after which to repeat the request, if the server says so. */
    readonly retryAfter_s: number | null = null,
  ) {
    super(message);
    this.name = "Problem";
  }
}

/** Return the problem that a response is; its body may be anything. */
export function problemOf(status: number, body: unknown, retryAfter: string | null): Problem {
  const given = typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {};
  const text = (key: string) => (typeof given[key] === "string" ? given[key] : "");
  const seconds = retryAfter === null ? NaN : Number(retryAfter);
  return new Problem(
    status,
    text("code") || `http_${status}`,
    text("detail") || t.error.unknown(status),
    text("hint"),
    Number.isFinite(seconds) ? seconds : null,
  );
}

export interface Explained {
  message: string;
  hint: string;
}

/** Return what to show of any exception. */
export function explained(error: unknown): Explained {
  if (error instanceof Problem || error instanceof CallError) {
    return { message: error.message, hint: error.hint };
  }
  return { message: error instanceof Error ? error.message : String(error), hint: "" };
}

/** Return any exception as one line. */
export function lineOf(error: unknown): string {
  const { message, hint } = explained(error);
  return t.error.withHint(message, hint);
}
