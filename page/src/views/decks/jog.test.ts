import { expect, test } from "vitest";

import { angleAt, bendOf, turned, TURN_S } from "./jog";

test("the top is 0, a quarter to the right is a quarter turn", () => {
  expect(angleAt(0, -10, 10)).toEqual({ angle: 0, radius: 1 });
  expect(angleAt(5, 0, 10)).toEqual({ angle: 0.25, radius: 0.5 });
});

test("over the bottom a finger goes the short way", () => {
  expect(turned(0.45, -0.45)).toBeCloseTo(0.1);
  expect(turned(-0.45, 0.45)).toBeCloseTo(-0.1);
});

test("the rim bends by its speed, within the range", () => {
  expect(bendOf(0.01, 18, 50)).toBeCloseTo(0.01 * TURN_S * (1000 / 18) * 25);
  expect(bendOf(-1, 10, 50)).toBe(-50);
  expect(bendOf(1, 0, 50)).toBe(0);
});
