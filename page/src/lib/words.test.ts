import { expect, test } from "vitest";

import { beatsText, worded } from "./words";

test("labels are written small, but for CUE, PLAY and abbreviations", () => {
  expect(["KEYLOCK", "CUE", "PLAY", "XF CURVE", "LOOP LEN", "FX1", "MIDI IN", ""].map(worded)).toEqual([
    "Keylock",
    "CUE",
    "PLAY",
    "XF curve",
    "Loop len",
    "FX1",
    "MIDI in",
    "",
  ]);
});

test("parts of a beat are fractions", () => {
  expect([1 / 32, 0.25, 0.5, 1, 4, 64].map(beatsText)).toEqual(["1/32", "1/4", "1/2", "1", "4", "64"]);
});
