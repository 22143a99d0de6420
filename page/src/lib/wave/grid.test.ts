import { describe, expect, test } from "vitest";
import { barsIn, beatAt, beatsIn, corrected, nearestBeat, type Grid } from "./grid";

const EVEN: Grid = { rate: 48_000, bpm: 120, beats_per_bar: 4, anchors: [[24_000, 0]] };

describe("a grid", () => {
  test("of one tempo counts from its anchor, both ways", () => {
    expect(beatAt(EVEN, 0.5)).toBe(0);
    expect(beatAt(EVEN, 0)).toBe(-1);
    expect(beatAt(EVEN, 2.5)).toBe(4);
    const beats = beatsIn(EVEN, 0, 3);
    expect(beats.map((beat) => beat.time_s)).toEqual([0, 0.5, 1, 1.5, 2, 2.5]);
    expect(beats.filter((beat) => beat.isDownbeat).map((beat) => beat.time_s)).toEqual([0.5, 2.5]);
  });

  test("in pieces changes its tempo at an anchor", () => {
    const grid: Grid = { ...EVEN, bpm: 60, anchors: [[0, 0], [96_000, 4]] };
    expect(beatAt(grid, 1)).toBe(2);
    expect(beatAt(grid, 3)).toBe(5);
    expect(beatsIn(grid, 0, 4).map((beat) => beat.time_s)).toEqual([0, 0.5, 1, 1.5, 2, 3]);
  });

  test("with a seam has no beats in it", () => {
    const grid: Grid = { ...EVEN, anchors: [[0, 0], [60_000, 2.5], [60_048, 4]] };
    const beats = beatsIn(grid, 0, 2.5);
    expect(beats.map((beat) => beat.number)).toEqual([0, 1, 2, 4, 5, 6]);
  });

  test("finds the nearest beat, and counts bars", () => {
    expect(nearestBeat(EVEN, 1.2)).toBe(1);
    expect(barsIn(EVEN, 64)).toBe(32);
  });

  test("that is corrected has its beats where the correction puts them", () => {
    const times = (grid: Grid | null) => (grid ? beatsIn(grid, 0, 2).map((beat) => beat.time_s) : null);
    expect(times(corrected(EVEN, { track: 1, shift: 0.5 }))).toEqual([0.25, 0.75, 1.25, 1.75]);
    const later = corrected(EVEN, { shift: 1 });
    expect(later && beatsIn(later, 0, 2).find((beat) => beat.isDownbeat)?.time_s).toBe(1);
    expect(times(corrected(EVEN, { tempo: "halve" }))).toEqual([0.5, 1.5]);
    expect(times(corrected(EVEN, { tempo: "double" }))?.length).toBe(8);
    expect(corrected(EVEN, { take: 1 })).toBeNull();
  });
});
