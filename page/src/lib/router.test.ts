import { expect, test } from "vitest";

import { pathOf, PLAIN, routeOf, type Route } from "./router";

test("every route is found again by its path", () => {
  const routes: Route[] = [...PLAIN.map((name) => ({ name })), { name: "track", id: 12 }];
  for (const route of routes) expect(routeOf(pathOf(route))).toEqual(route);
});

test.each([
  ["/", "decks"],
  ["/library/", "library"],
  ["/library/0", "missing"],
  ["/library/1e3", "missing"],
  ["/library/99999999999999999999", "missing"],
  ["/library/7/stems", "missing"],
  ["/nothing", "missing"],
  ["/constructor", "missing"],
])("%s is %s", (path, name) => {
  expect(routeOf(path).name).toBe(name);
});
