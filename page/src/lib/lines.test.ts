import { expect, test } from "vitest";

import { isShown, kept, LEVELS } from "./lines";

test("the newest lines are kept", () => {
  expect(kept([1, 2, 3], [4, 5], 4)).toEqual([2, 3, 4, 5]);
});

test("a line is shown by level, process and text", () => {
  const line = { at_s: 0, level: "critical", process: "web", text: "It Broke" };
  const all = new Set<string>(LEVELS);
  expect(isShown(line, all, "", "")).toBe(true);
  expect(isShown(line, new Set(["info"]), "", "")).toBe(false);
  expect(isShown(line, all, "stage", "")).toBe(false);
  expect(isShown(line, all, "web", "broke")).toBe(true);
  expect(isShown(line, all, "web", "other")).toBe(false);
});
