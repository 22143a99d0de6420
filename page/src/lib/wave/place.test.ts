import { expect, test } from "vitest";
import type { Anchor } from "../anchor";
import { Place } from "./place";

const anchor = (position_s: number, time_s: number, more: Partial<Anchor> = {}): Anchor => ({
  deck: "deck1",
  position_s,
  rate: 1.06,
  playing: true,
  loaded: true,
  time_s,
  ...more,
});

test("a deck is reckoned between messages", () => {
  const place = new Place();
  const one = anchor(10, 100);
  expect(place.at(0, one, 100, null)).toBeCloseTo(10);
  expect(place.at(500, one, 100.5, null)).toBeCloseTo(10.53);
});

test("an anchor that differs little is reached without a step", () => {
  const place = new Place();
  place.at(0, anchor(10, 100), 100, null);
  const late = anchor(11.04, 101); // 0.02 s behind what was reckoned
  expect(place.at(1000, late, 101, null)).toBeCloseTo(11.06);
  expect(place.at(1100, late, 101.1, null)).toBeCloseTo(11.04 + 0.106 + 0.01);
  expect(place.at(1300, late, 101.3, null)).toBeCloseTo(11.04 + 0.318);
});

test("a jump is a jump", () => {
  const place = new Place();
  place.at(0, anchor(10, 100), 100, null);
  expect(place.at(16, anchor(40, 100.016), 100.016, null)).toBeCloseTo(40);
  expect(place.at(32, anchor(40.03, 100.032, { rate: 0, playing: false }), 100.032, null)).toBeCloseTo(40.03);
});

test("a loop goes round at its end, not when a message says so", () => {
  const place = new Place();
  const one = anchor(11.9, 100, { rate: 1 });
  const loop = { start_s: 10, end_s: 12 };
  expect(place.at(0, one, 100.05, loop)).toBeCloseTo(11.95);
  expect(place.at(100, one, 100.15, loop)).toBeCloseTo(10.05);
  expect(place.at(4100, one, 104.15, loop)).toBeCloseTo(10.05);
});
