import { expect, test } from "vitest";

import { gainOf, isOpen, type Mix } from "./onair";

const mix = (changes: Partial<Mix> = {}): Mix => ({
  deck: 1,
  fader_db: 0,
  faderOff_db: -60,
  crossfader: 0,
  isReverse: false,
  assign: "auto",
  curve: "linear",
  ...changes,
});

test("in the middle both decks are heard in full, by equal power at -3 dB", () => {
  expect(gainOf(mix())).toBe(1);
  expect(gainOf(mix({ deck: 2 }))).toBe(1);
  expect(gainOf(mix({ curve: "power" }))).toBeCloseTo(Math.SQRT1_2);
});

test("at the other end a deck is silent, unless it is not assigned or the sides are swapped", () => {
  expect(gainOf(mix({ crossfader: 100 }))).toBe(0);
  expect(gainOf(mix({ crossfader: 100, curve: "power" }))).toBe(0);
  expect(gainOf(mix({ crossfader: 100, assign: "through" }))).toBe(1);
  expect(gainOf(mix({ crossfader: 100, isReverse: true }))).toBe(1);
  expect(gainOf(mix({ crossfader: 98, curve: "cut" }))).toBeCloseTo(0.5);
});

test("the fader counts, off is silence", () => {
  expect(gainOf(mix({ fader_db: -20 }))).toBeCloseTo(0.1);
  expect(gainOf(mix({ fader_db: -60 }))).toBe(0);
  expect(gainOf(mix({ fader_db: 6 }))).toBe(1);
  expect(isOpen(mix({ fader_db: -60 }))).toBe(false);
  expect(isOpen(mix({ crossfader: 97 }))).toBe(false);
  expect(isOpen(mix({ crossfader: 95 }))).toBe(true);
});
