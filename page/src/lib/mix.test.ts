import { expect, test } from "vitest";
import { decksOf, linesOf, moved, NAME_PATTERN, pairsOf, spanOf } from "./mix";

test("a span is a share of the length, and a follow is seen", () => {
  expect(spanOf(50, 100, 200)).toEqual({ left_pct: 25, width_pct: 25 });
  expect(spanOf(100, 100, 200)).toEqual({ left_pct: 50, width_pct: 0.5 });
  expect(spanOf(100, 90, 200)).toEqual({ left_pct: 45, width_pct: 5 });
  expect(spanOf(200, 210, 200)).toEqual({ left_pct: 100, width_pct: 0 });
  expect(spanOf(null, null, 200)).toBeNull();
  expect(spanOf(0, 1, null)).toBeNull();
});

test("a track is moved by a step, and not over the ends", () => {
  expect(moved([1, 2, 3], 0, 1)).toEqual([2, 1, 3]);
  expect(moved([1, 2, 3], 2, -1)).toEqual([1, 3, 2]);
  expect(moved([1, 2, 3], 0, -1)).toBeNull();
  expect(moved([1, 2, 3], 2, 1)).toBeNull();
  expect(moved([], 0, 1)).toBeNull();
});

test("decks are those of the controls", () => {
  expect(decksOf(["deck2.fader", "deck1.eq.low", "deck2.tempo", "crossfader"])).toEqual([1, 2]);
});

test("names of plans are names of files", () => {
  expect(NAME_PATTERN.test("friday-2")).toBe(true);
  for (const name of ["", "Friday", "-a", "a b", "a/b", "ä"]) expect(NAME_PATTERN.test(name)).toBe(false);
});

test("tracks are typed one a line, and a pair has two", () => {
  expect(linesOf(" 12\n\n Long Way Down \r\n17")).toEqual(["12", "Long Way Down", "17"]);
  expect(linesOf(" \n")).toEqual([]);
  expect(pairsOf([{ one: " 1 ", next: "2" }, { one: "3", next: " " }, { one: "", next: "4" }])).toEqual([["1", "2"]]);
});
