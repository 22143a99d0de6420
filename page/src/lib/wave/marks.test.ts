import { expect, test } from "vitest";
import type { Curves } from "./curves";
import { CurveStore } from "./curvestore";
import { pinchSteps, wheelSteps } from "./gestures";
import { colourOf, markersOf, sectionsOf } from "./markers";
import type { TrackInfo } from "../decktracks.svelte";

const curvesOf = (digest: string): Curves => ({ digest, tables: new Map() });

test("a track is read once, and eight are kept", async () => {
  const asked: number[] = [];
  const store = new CurveStore((track) => {
    asked.push(track);
    return Promise.resolve(curvesOf(String(track)));
  });
  await Promise.all([store.get(1), store.get(1)]);
  await store.get(1);
  expect(asked).toEqual([1]);
  for (let track = 2; track <= 9; track++) await store.get(track);
  expect(store.peek(1)).toBeNull();
  expect(store.peek(2)).not.toBeNull();
});

test("the same curves are the same object after a change of the track, others are not", async () => {
  let digest = "a";
  const store = new CurveStore(() => Promise.resolve(curvesOf(digest)));
  const first = await store.get(1);
  expect(await store.get(1, true)).toBe(first);
  digest = "b";
  expect(await store.get(1, true)).not.toBe(first);
});

test("two fingers and the wheel mean whole steps", () => {
  expect(pinchSteps(1)).toBe(0);
  expect(pinchSteps(2)).toBe(-1);
  expect(pinchSteps(1 / 2.6)).toBe(2);
  expect(wheelSteps(130)).toEqual([2, 10]);
  expect(wheelSteps(-40)).toEqual([0, -40]);
});

const INFO = {
  cues: [
    { position_s: 30, end_s: null, kind: "cue", label: "Drop", color: "", stem: "drums", slot: 5 },
    { position_s: 20, end_s: null, kind: "cue", label: "", color: "", stem: null, slot: null },
    { position_s: 70, end_s: null, kind: "cue", label: "Far", color: "#aabbcc", stem: "bass", slot: 12 },
  ],
  sections: [
    { start_s: 0, label: "Intro" },
    { start_s: 8, label: "Intro" },
    { start_s: 16, label: "Verse" },
  ],
} as unknown as TrackInfo;

test("a cue has the colour that was set by hand, else that of the stem that enters, else none", () => {
  expect(colourOf("#aabbcc", "bass")).toBe("#aabbcc");
  expect(colourOf("", "bass")).toBe("bass");
  expect(colourOf("red", "nothing")).toBe("");
});

test("the deck's cues go before the library's, and one that was cleared is gone", () => {
  const live = { slot: 5, position_s: 31, end_s: null, label: "Moved", color: "" };
  expect(markersOf(INFO, [live]).map(({ label, colour }) => [label, colour])).toEqual([
    ["", ""],
    ["Moved", "drums"],
    ["Far", "#aabbcc"],
  ]);
  expect(markersOf(INFO, [{ ...live, position_s: null }])).toHaveLength(2);
  expect(markersOf(null, [live])).toHaveLength(1);
});

test("neighbours of one name are one section", () => {
  expect(sectionsOf(INFO).map((each) => each.label)).toEqual(["Intro", "Verse"]);
});
