import { expect, test } from "vitest";
import { lengthOf, stemsOf, type Loop } from "./loops";

const loop: Loop = { pad: 1, track: 12, stem: "drums", beats: 8, start_s: 20, bpm: 120, key: "8A", why: "" };

test("a loop is as long as its beats in the tempo of its track", () => {
  expect(lengthOf(loop)).toBe(4);
  expect(lengthOf({ ...loop, bpm: 126, track_bpm: 120 })).toBe(4);
});

test("a loop of the mix has all stems that there are, another one its own", () => {
  expect(stemsOf(loop, ["vocals", "drums"])).toEqual(["drums"]);
  expect(stemsOf({ ...loop, stem: "mix" }, ["vocals", "drums"])).toEqual(["vocals", "drums"]);
  expect(stemsOf({ ...loop, stem: "mix" }, ["mix"])).toEqual(["mix"]);
  expect(stemsOf({ ...loop, stem: "mix" }, [])).toEqual(["mix"]);
  expect(stemsOf({ ...loop, stem: "piano" }, ["mix"])).toEqual([]);
});
