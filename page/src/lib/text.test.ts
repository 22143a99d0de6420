import { expect, test } from "vitest";

import type { ControlInfo } from "./controls";
import { captionOf, clockText, fixed, shown, textOf } from "./text";

const FADER: ControlInfo = {
  path: "deck1.fader",
  kind: "fader",
  sentence: "",
  label: "FADER",
  group: "mixer",
  order: 0,
  color: "neutral",
  unit: "dB",
  low: -60,
  high: 6,
  rest: 0,
  optional: false,
  whole: false,
  digits: 1,
  law: "gain",
  taper: "decibel",
  detent: null,
  glide: 0,
  held: false,
  momentary: false,
  settable: true,
  options: [],
  owner: "engine",
  verb: "",
  refusable: false,
  planned: false,
};

test.each([
  [0.125, 2, "0.12"],
  [0.375, 2, "0.38"],
  [-0.125, 2, "-0.12"],
  [2.5, 0, "2"],
  [3.5, 0, "4"],
  [9.5, 0, "10"],
  [-0.04, 1, "0.0"],
  [-6.2, 1, "-6.2"],
  [Math.fround(-6.2), 1, "-6.2"],
  [1e6, 4, "1000000.0000"],
])("%d with %d decimals is %s, as Python writes it", (value, digits, text) => {
  expect(fixed(value, digits)).toBe(text);
});

test("a level has its unit, and its lowest value is off", () => {
  expect(textOf(FADER, -6.24)).toBe("-6.2 dB");
  expect(textOf(FADER, -60)).toBe("off");
  expect(textOf(FADER, -59.96)).toBe("off");
  expect(textOf(FADER, null)).toBe("");
});

test("what is optional may be not set", () => {
  expect(textOf({ ...FADER, optional: true, law: "plain", unit: "BPM", digits: 2 }, null)).toBe("not set");
});

test("switches, choices, readings and texts have words", () => {
  const plain = { ...FADER, law: "plain", unit: "", low: 0, high: 1, whole: true, digits: 0 } as const;
  expect(textOf({ ...plain, kind: "switch" }, 1)).toBe("on");
  expect(textOf({ ...plain, kind: "choice", options: ["cdj", "mixxx"] }, 1)).toBe("mixxx");
  expect(textOf({ ...plain, kind: "choice", options: ["cdj"] }, 7)).toBe("");
  expect(textOf({ ...plain, kind: "meter" }, 0)).toBe("no");
  expect(textOf({ ...plain, kind: "text" }, "<b>Title</b>")).toBe("<b>Title</b>");
});

test("the eye gets a true minus and few capitals", () => {
  expect(shown("-6.2 dB")).toBe("−6.2 dB");
  expect(shown("low-pass 32 %")).toBe("low-pass 32 %");
  expect(captionOf("LOOP LEN")).toBe("Loop len");
  expect(captionOf("CUE")).toBe("CUE");
  expect(captionOf("FX SEND")).toBe("FX send");
});

test.each([
  [63.44, "1:03.4"],
  [59.96, "1:00.0"],
  [-7, "−0:07.0"],
  [0, "0:00.0"],
  [3600, "60:00.0"],
])("%d s is %s", (seconds, text) => {
  expect(clockText(seconds)).toBe(text);
});
