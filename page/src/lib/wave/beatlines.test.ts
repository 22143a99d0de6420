import { expect, test } from "vitest";
import { barOf, barStep, beatTable, firstAt, isDownbeat, lagOf, movedGrid, plainGrid } from "./beatlines";
import { beatAt, type Grid } from "./grid";

const GRID: Grid = { rate: 48_000, bpm: 120, beats_per_bar: 4, anchors: [[24_000, 0]] };

test("the table has every beat of the track with its number", () => {
  const beats = beatTable(GRID, 10);
  expect(beats.times_s[0]).toBeCloseTo(0);
  expect(beats.numbers[0]).toBe(-1);
  expect(beats.times_s[1]).toBeCloseTo(0.5);
  expect(beats.times_s).toHaveLength(20);
});

test("the first beat in sight is found", () => {
  const times = Float64Array.from([0, 0.5, 1, 1.5]);
  expect(firstAt(times, 0.75)).toBe(2);
  expect(firstAt(times, -1)).toBe(0);
  expect(firstAt(times, 9)).toBe(4);
});

test("the first downbeat begins bar 1", () => {
  expect([0, 3, 4, -1].map((number) => barOf(number, 4))).toEqual([1, 1, 2, 0]);
  expect([0, 4, -4, 3].map((number) => isDownbeat(number, 4))).toEqual([true, true, true, false]);
});

test("numbers of bars do not overlap", () => {
  expect(barStep(180, 44)).toBe(1);
  expect(barStep(12, 44)).toBe(4);
});

test("a grid that was corrected on the deck is seen before the library has it", () => {
  const played = movedGrid(GRID, 10, 18.9); // the library's says 19
  expect(beatAt(played, 10)).toBeCloseTo(18.9);
  expect(beatAt(played, 3)).toBeCloseTo(beatAt(GRID, 3) - 0.1);
  const reading = (position_s: number, lag: number) => ({ position_s, beat: beatAt(GRID, position_s) - lag });
  expect(lagOf(GRID, reading(10, 0.1), reading(10.1, 0.1))).toBeCloseTo(0.1);
  expect(lagOf(GRID, reading(10, 0), reading(10.1, 0.1))).toBe(0); // one of before, one of after
  expect(lagOf(GRID, reading(10, 0.0005), reading(10.1, 0.0005))).toBe(0); // what a single float leaves
});

test("a track that the library does not have gets a grid of what its deck says", () => {
  const grid = plainGrid(10, 18.5, 120);
  expect(beatAt(grid, 10)).toBe(18.5);
  expect(beatAt(grid, 11)).toBeCloseTo(20.5);
});
