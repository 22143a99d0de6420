/** Which build this page is of, and whether the server has another one. */

/** Return the build that this page is of; empty while developing. */
export function ownBuild(document: Document): string {
  return document.querySelector<HTMLMetaElement>('meta[name="build"]')?.content ?? "";
}

/**
 * Return the server's build if it is another one, else an empty string.
 *
 * To be asked after each new connection of the channel: a server that was updated has been
 * restarted. A server that does not answer, or has no page, has no other build.
 */
export async function newerBuild(own: string, get: typeof fetch = fetch): Promise<string> {
  if (own === "") return "";
  try {
    const answer: unknown = await (await get("/health", { cache: "no-store" })).json();
    const page = answer instanceof Object && "page" in answer ? answer.page : "";
    return typeof page === "string" && page !== own ? page : "";
  } catch {
    return "";
  }
}
