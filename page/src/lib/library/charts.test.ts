import { describe, expect, test } from "vitest";
import type { Curves, Table } from "../wave/curves";
import type { Grid } from "../wave/grid";
import {
  byBar,
  characterOf,
  deviations,
  extremes,
  heatOf,
  mostDifferent,
  soundingShare,
  spread,
  strongest,
  structureOf,
  thinned,
} from "./charts";
import { tempoOf } from "./tap";

const GRID: Grid = { rate: 48_000, bpm: 120, beats_per_bar: 4, anchors: [[0, 0]] };

function table(name: string, columns: number, rate_hz: number, numbers: number[], span: [number, number] = [0, 255]): Table {
  const rows = numbers.length / columns;
  return { name, columns, rows, rate_hz, low: span[0], high: span[1], isSquare: false, numbers: Uint8Array.from(numbers) };
}

const curvesOf = (...tables: Table[]): Curves => ({ digest: "", tables: new Map(tables.map((each) => [each.name, each])) });

describe("figures of an analysis", () => {
  test("a beat has the deviation of the nearest attack, if one is near", () => {
    const found = deviations(GRID, Float64Array.from([0.004, 0.495, 1.2, 1.51]), 2);
    expect(found.map(({ ms }) => (ms === null ? null : Math.round(ms)))).toEqual([4, -5, null, 10]);
    expect(spread(found)).toEqual({ median_ms: expect.closeTo(5), share: 0.75 });
    expect(byBar(found)).toHaveLength(1);
    expect(byBar(found)[0]?.ms).toBeCloseTo(3);
    expect(spread([])).toEqual({ median_ms: null, share: 0 });
  });

  test("a stem sounds where it is over -40 dB", () => {
    const peaks = table("peaks/vocals", 1, 150, [...Array<number>(50).fill(255), ...Array<number>(50).fill(3)]);
    expect(soundingShare(curvesOf(peaks), "vocals")).toBeCloseTo(0.5);
    expect(soundingShare(curvesOf(peaks), "drums")).toBe(null);
    expect(soundingShare(null, "vocals")).toBe(null);
  });

  test("the strongest pitch classes are named", () => {
    const row = [200, 0, 0, 0, 150, 0, 0, 0, 0, 255, 0, 10];
    expect(strongest(table("chroma", 12, 2, [...row, ...row]))).toEqual(["A", "C", "E"]);
  });

  test("sections that sound alike are joined, others are not", () => {
    const loud = [200, 10, 90];
    const quiet = [20, 200, 10];
    const numbers = [loud, loud, quiet, quiet, loud, loud].flat();
    const mfcc = table("mfcc", 3, 1, numbers);
    const energy = table("energy", 1, 1, [9, 9, 1, 1, 9, 9]);
    const sections = [0, 2, 4].map((start_s) => ({ start_s, end_s: start_s + 2, label: "drop" }));
    const parts = structureOf(curvesOf(mfcc, energy), sections);
    expect(parts.map(({ alike }) => alike)).toEqual([[2], [], []]);
    expect(parts.map(({ energy: value }) => value)).toEqual([9, 1, 9]);
    expect(mostDifferent(mfcc, sections)?.start_s).toBe(2);
    expect(mostDifferent(mfcc, sections.slice(0, 1))).toBe(null);
  });

  test("the highest and lowest places of a curve are means of some seconds", () => {
    const values = Float32Array.from({ length: 200 }, (_, k) => (k > 100 && k < 120 ? 1 : k > 150 && k < 170 ? 0 : 0.5));
    const { high_s, low_s } = extremes(values, 2);
    expect(high_s).toBeGreaterThan(50);
    expect(high_s).toBeLessThan(60);
    expect(low_s).toBeGreaterThan(75);
    expect(low_s).toBeLessThan(85);
  });

  test("the character is between 0 and 1 on each axis, also of nothing", () => {
    expect(Object.values(characterOf(curvesOf(), null, 0))).toEqual([0, 0, 0, 0, 0, 0]);
    const energy = table("energy", 1, 2, [200, 200, 10, 10], [0, 1]);
    const found = characterOf(curvesOf(energy), GRID, 2);
    expect(found.calm).toBeCloseTo(0.5);
    expect(Object.values(found).every((value) => value >= 0 && value <= 1)).toBe(true);
  });

  test("a picture's columns have their own spans, or one", () => {
    const two = table("x", 2, 1, [0, 10, 100, 20]);
    expect([...heatOf(two, true).values]).toEqual([0, 0, 1, 1]);
    expect(heatOf(two, false).values[1]).toBeCloseTo(0.1);
    expect([...thinned(Float32Array.from([1, 3, 5, 7]), 2)]).toEqual([2, 6]);
  });
});

test("taps make a tempo", () => {
  expect(tempoOf([0, 500, 1000, 1500])).toBeCloseTo(120);
  expect(tempoOf([0, 490, 1010, 1500])).toBeCloseTo(119.5, 0);
  expect(tempoOf([0, 500])).toBe(null);
  expect(tempoOf([0, 1, 2])).toBe(null);
});
