import { expect, test } from "vitest";

import type { TrackInfo } from "../../lib/decktracks.svelte";
import { barsIn, nextPlace } from "./ahead";

const info: TrackInfo = {
  id: 1,
  title: "",
  artist: "",
  duration_s: 100,
  bpm: 120,
  key: null,
  stems: [],
  cues: [],
  sections: [
    { start_s: 0, label: "intro" },
    { start_s: 16, label: "verse" },
    { start_s: 32, label: "verse" },
    { start_s: 48, label: "drop" },
  ],
  grid: null,
  beatsPerBar: 4,
  cover: null,
};

test("the next section is another one than now", () => {
  expect(nextPlace(info, [], 1)).toEqual({ name: "verse", at_s: 16 });
  expect(nextPlace(info, [], 20)).toEqual({ name: "drop", at_s: 48 });
  expect(nextPlace(info, [], 48)).toBeNull();
});

test("a cue with a name counts, one at the playhead does not", () => {
  const cues = [{ position_s: 24, name: "Voice" }, { position_s: 22, name: "" }];
  expect(nextPlace(info, cues, 20)).toEqual({ name: "Voice", at_s: 24 });
  expect(nextPlace(info, cues, 24)).toEqual({ name: "drop", at_s: 48 });
});

test("two seconds of 120 BPM are a bar of four", () => {
  expect(barsIn(2, 120, 4)).toBe(1);
  expect(barsIn(2, null, 4)).toBeNull();
});
