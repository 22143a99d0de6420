import { expect, test } from "vitest";

import { Ballistics } from "./ballistics";
import { positionAt } from "./anchor";
import { scrollFor, spanOf } from "./rows";
import { dragged, fineness } from "./slide";

test("a finger on the strip moves as far as it goes, and finer beside it", () => {
  expect(dragged(0.5, 40, 0, 200)).toBeCloseTo(0.7, 9);
  expect(dragged(0.5, 40, 300, 200)).toBeCloseTo(0.52, 2);
  expect(dragged(0.9, 100, 0, 200)).toBe(1);
  expect(fineness(0)).toBe(1);
  expect(fineness(-5000)).toBeCloseTo(0.1, 9);
});

test("a meter rises at once, falls 20 dB a second, and holds its peak for one", () => {
  const needle = new Ballistics(-60);
  needle.step(0, 0, 0.016);
  expect(needle.level).toBe(0);
  for (let frame = 1; frame <= 30; frame++) needle.step(-60, frame / 60, 1 / 60);
  expect(needle.level).toBeCloseTo(-10, 6);
  expect(needle.peak).toBe(0);
  for (let frame = 31; frame <= 120; frame++) needle.step(-60, frame / 60, 1 / 60);
  expect(needle.peak).toBeLessThan(-15);
  expect(needle.step(-60, 60, 10)).toBe(true);
});

test("a deck's position goes on from its anchor", () => {
  const anchor = { deck: "deck1", position_s: 10, rate: 1.02, playing: true, loaded: true, time_s: 100 };
  expect(positionAt(anchor, 105)).toBeCloseTo(15.1, 9);
});

test("a list draws what is seen, and more ahead of the movement", () => {
  expect(spanOf(0, 560, 56, 20_000, 8, 0)).toEqual({ first: 0, end: 18 });
  expect(spanOf(5600, 560, 56, 20_000, 8, 1)).toEqual({ first: 92, end: 126 });
  expect(spanOf(5600, 560, 56, 20_000, 8, -1)).toEqual({ first: 84, end: 118 });
  expect(spanOf(999_999_999, 560, 56, 30, 8, 1)).toEqual({ first: 30, end: 30 });
  expect(spanOf(0, 560, 56, 0, 8, 0)).toEqual({ first: 0, end: 0 });
});

test("a row is revealed by the least scroll", () => {
  expect(scrollFor(3, 0, 560, 56)).toBe(0);
  expect(scrollFor(12, 0, 560, 56)).toBe(168);
  expect(scrollFor(1, 500, 560, 56)).toBe(56);
});
