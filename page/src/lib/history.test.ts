import { expect, test } from "vitest";

import { gapped, perMinute, scaleOf } from "./history";

const point = (at_s: number, load_pct = 2, worst_pct = 5) => ({ at_s, load_pct, worst_pct });

test("a time without an engine is a gap", () => {
  expect(gapped([point(0), point(10), point(60), point(70)], 30).map((line) => line.map((each) => each.at_s))).toEqual([
    [0, 10],
    [60, 70],
  ]);
  expect(gapped([], 30)).toEqual([]);
});

test("the scale has room for the worst block", () => {
  expect(scaleOf([])).toBe(4);
  expect(scaleOf([20.4])).toBe(40);
  expect(scaleOf([990])).toBe(1200);
});

test("a minute has the mean load and the worst block", () => {
  expect(perMinute([point(60, 1, 3), point(70, 3, 9), point(120)])).toEqual([point(60, 2, 9), point(120)]);
});
