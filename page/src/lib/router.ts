/** The routes: addresses to names and back. Pure. */

export const PLAIN = [
  "decks",
  "library",
  "jobs",
  "midi",
  "settings",
  "admin",
  "performance",
  "login",
  "welcome",
  "arrange",
  "practice",
  "mix",
  "master",
  "chat",
] as const;

export type PlainName = (typeof PLAIN)[number];
export type Route = { name: PlainName } | { name: "track"; id: number } | { name: "missing" };
export type RouteName = Route["name"];

/** Return the route of an address' path. */
export function routeOf(pathname: string): Route {
  const parts = pathname.split("/").filter(Boolean);
  const [first = "", second = ""] = parts;
  if (parts.length === 0) return { name: "decks" };
  if (parts.length === 1 && (PLAIN as readonly string[]).includes(first)) {
    return { name: first as PlainName };
  }
  if (parts.length === 2 && first === "library" && /^[1-9]\d{0,14}$/.test(second)) {
    return { name: "track", id: Number(second) };
  }
  return { name: "missing" };
}

/** Return the path of a route. */
export function pathOf(route: Route): string {
  if (route.name === "track") return `/library/${route.id}`;
  return route.name === "missing" ? "/" : `/${route.name}`;
}
