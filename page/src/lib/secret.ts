/** The secret of a one-time link, from the fragment, which no server's log has. */

let secret: string | undefined;

/** Return the secret, and take it out of the address bar and the history. */
export function takeSecret(): string {
  const found = location.hash.slice(1);
  if (found) {
    secret = found;
    history.replaceState(null, "", location.pathname);
  }
  return secret ?? "";
}
