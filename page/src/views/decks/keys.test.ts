import { expect, test } from "vitest";

import { actionOf, BINDINGS } from "./keys";

const stroke = (key: string, code = "", shiftKey = false) => ({ key, code, shiftKey });

test("space plays, digits are hot cues by their place on the keyboard", () => {
  expect(actionOf(stroke(" ", "Space"))).toEqual({ do: "toggle", path: "play" });
  expect(actionOf(stroke("3", "Digit3"))).toEqual({ do: "hotcue", slot: 3, clear: false });
  expect(actionOf(stroke("#", "Digit3", true))).toEqual({ do: "hotcue", slot: 3, clear: true });
  expect(actionOf(stroke("9", "Digit9"))).toBeNull();
  expect(actionOf(stroke("C", "KeyC", true))).toEqual({ do: "hold", path: "cue" });
});

test("each key means one thing, and is in the list", () => {
  const keys = BINDINGS.map((each) => `${each.shift ? "shift " : ""}${each.key}`);
  expect(new Set(keys).size).toBe(keys.length);
  expect(BINDINGS.every((each) => each.text && each.shown)).toBe(true);
});
