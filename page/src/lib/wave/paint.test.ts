import { expect, test } from "vitest";
import { inkOn, rgbOf, shadesOf } from "./colours";
import type { Table } from "./curves";
import { gainsOf, heightOfPeak, heightsIn, paintBands } from "./paint";

const tableOf = (rows: readonly (readonly number[])[], rate_hz = 150): Table => ({
  name: "peaks/bass",
  columns: 4,
  rows: rows.length,
  rate_hz,
  low: 0,
  high: 1,
  isSquare: true,
  numbers: Uint8Array.from(rows.flat()),
});

test("a column that covers several rows has their highest", () => {
  const rows = Array.from({ length: 8 }, (_, row) => [0, row === 5 ? 255 : 0, 0, 0]);
  const heights = heightsIn(tableOf(rows, 100), 2, 0, 25); // four rows a column
  expect([...heights.slice(0, 2)]).toEqual([0, 1]);
});

test("a column between two rows lies between them", () => {
  const heights = heightsIn(tableOf([[0, 0, 0, 0], [0, 255, 0, 0]], 100), 4, 0, 400);
  expect(heights[0]).toBe(0);
  expect(heights[2]).toBeCloseTo(0.5, 5);
});

test("what is before and behind the track is silent", () => {
  const table = tableOf([[255, 255, 255, 255]], 100);
  expect([...heightsIn(table, 3, -1, 100)]).toEqual(Array(9).fill(0));
  expect([...heightsIn(table, 3, 5, 100)]).toEqual(Array(9).fill(0));
});

test("bands lie over each other from the middle line, low first, and silence is clear", () => {
  const shades = shadesOf(rgbOf("#2f86ff"), false);
  const [columns, height] = [2, 24];
  const pixels = new Uint8ClampedArray(columns * height * 4);
  const heights = Float32Array.from([1, 0, 0.5, 0, 0.3, 0]); // [band * 2 + column]
  paintBands(pixels, columns, height, heights, shades);
  const at = (x: number, y: number) => [...pixels.slice((y * columns + x) * 4, (y * columns + x) * 4 + 4)];
  expect(at(0, 12)).toEqual([...shades[2], 255]); // high at the core
  expect(at(0, 12 + 3)).toEqual([...shades[1], 255]);
  expect(at(0, 12 + 9)).toEqual([...shades[0], 255]);
  expect(at(0, 0)).toEqual([0, 0, 0, 0]);
  expect(at(0, 12 - 4)).toEqual(at(0, 12 + 3)); // above as below
  for (let y = 0; y < height; y++) expect(at(1, y)).toEqual([0, 0, 0, 0]);
});

test("quiet and loud keep their order", () => {
  const heights = Array.from({ length: 256 }, (_, peak) => heightOfPeak(peak));
  expect(heights[0]).toBe(0);
  expect(heights[255]).toBe(1);
  for (let k = 1; k < 256; k++) expect(heights[k]).toBeGreaterThan(heights[k - 1] as number);
});

test("text on a hue is black or white, whichever contrasts more", () => {
  expect(inkOn(rgbOf("#ffd91f"))).toBe("#000");
  expect(inkOn(rgbOf("#922b00"))).toBe("#fff");
});

test("the loudest stem fills its lane, a quiet one is raised half of the way", () => {
  const loud = { ...tableOf([[0, 0, 0, 0], [192, 0, 0, 0]]), name: "peaks/drums" };
  const quiet = { ...tableOf([[64, 0, 0, 0]]), name: "peaks/bass" };
  const silent = { ...tableOf([[0, 0, 0, 0]]), name: "peaks/other" };
  const gains = gainsOf({ digest: "", tables: new Map([loud, quiet, silent].map((table) => [table.name, table])) });
  const drums = gains.get("drums") as number;
  const bass = gains.get("bass") as number;
  expect(drums * heightOfPeak(192)).toBeCloseTo(1, 5);
  expect(bass).toBeGreaterThan(drums);
  expect(bass * heightOfPeak(64)).toBeLessThan(1);
  expect(gains.get("other")).toBe(1);
});
