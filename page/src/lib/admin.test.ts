import { expect, test } from "vitest";

import { bars, changeText } from "./admin";

test("a change says what it was and what it is", () => {
  expect(changeText({ before: { rating: 0 }, after: { rating: 4 }, params: {} })).toBe("rating: 0 → 4");
  expect(changeText({ before: null, after: { role: "user" }, params: { name: "eve" } })).toBe('role: "user"');
  expect(changeText({ before: null, after: null, params: { jobs: [1, 2] } })).toBe("jobs: [1,2]");
});

test("bars fill their box, and one of many is seen", () => {
  const found = bars([0, 1, 400], 30, 100);
  expect(found.step).toBe(10);
  expect(found.bars.map((bar) => bar.height)).toEqual([0, 1, 100]);
  expect(found.bars[2]).toMatchObject({ x: 20, y: 0 });
});
