import { describe, expect, test } from "vitest";

import { snapped, stepped, travelOf, valueAt, type Scale } from "./travel";

const SCALES: Record<string, Scale> = {
  linear: { low: -100, high: 100, taper: "linear", whole: false },
  log: { low: 0.25, high: 4, taper: "log", whole: false },
  decibel: { low: -60, high: 6, taper: "decibel", whole: false },
  centred: { low: -60, high: 12, taper: "centred", whole: false },
};

describe.each(Object.entries(SCALES))("%s", (_name, scale) => {
  test("both ends are the ends of the travel", () => {
    expect(valueAt(scale, 0)).toBeCloseTo(scale.low, 9);
    expect(valueAt(scale, 1)).toBeCloseTo(scale.high, 9);
    expect(travelOf(scale, scale.low)).toBeCloseTo(0, 9);
    expect(travelOf(scale, scale.high)).toBeCloseTo(1, 9);
  });

  test("travel to value and back is the travel", () => {
    for (let step = 0; step <= 100; step++) {
      expect(travelOf(scale, valueAt(scale, step / 100))).toBeCloseTo(step / 100, 9);
    }
  });

  test("what is beyond an end is the end", () => {
    expect(valueAt(scale, -1)).toBeCloseTo(scale.low, 9);
    expect(valueAt(scale, 2)).toBeCloseTo(scale.high, 9);
    expect(travelOf(scale, scale.high + 1)).toBeCloseTo(1, 9);
  });
});

test("a channel fader has 0 dB at three quarters of its travel", () => {
  expect(travelOf({ low: -60, high: 6, taper: "decibel", whole: false }, 0)).toBeCloseTo(0.7513, 4);
});

test("a knob with a detent has 0 dB in its middle", () => {
  expect(travelOf({ low: -60, high: 12, taper: "centred", whole: false }, 0)).toBe(0.5);
  expect(valueAt({ low: -60, high: 12, taper: "centred", whole: false }, 0.25)).toBeCloseTo(-12.378, 3);
});

test("a detent catches near it and nowhere else", () => {
  expect(snapped(0.51, 0.5)).toBe(0.5);
  expect(snapped(0.53, 0.5)).toBe(0.53);
  expect(snapped(0.51, null)).toBe(0.51);
});

test("a step of a whole control is one, of another a hundredth of the travel", () => {
  const bank: Scale = { low: 1, high: 4, taper: "linear", whole: true };
  expect(valueAt(bank, stepped(bank, travelOf(bank, 2), 1))).toBe(3);
  expect(valueAt(bank, stepped(bank, travelOf(bank, 2), -0.1))).toBe(1);
  expect(valueAt(bank, stepped(bank, travelOf(bank, 4), 1))).toBe(4);
  const fader: Scale = { low: 0, high: 100, taper: "linear", whole: false };
  expect(stepped(fader, 0.5, 1)).toBeCloseTo(0.51, 9);
});
