import { expect, test } from "vitest";
import { foldedInLoop, heightOf, pixelsPerSecond, referenceBpm, spanOf, tilesIn, xOf } from "./geometry";

test("so many bars of the shared tempo are in sight, and the playhead is at a third", () => {
  const perSecond = pixelsPerSecond(1440, 8, 120, 1);
  expect(1440 / perSecond).toBe(16); // eight bars at 120 BPM
  expect(xOf(10, 10, 1440, perSecond)).toBe(480);
  const [from, to] = spanOf(10, 1440, perSecond);
  expect(xOf(from, 10, 1440, perSecond)).toBeCloseTo(0);
  expect(xOf(to, 10, 1440, perSecond)).toBeCloseTo(1440);
});

test("beats of two decks in one tempo are as wide, whatever their rates", () => {
  const one = pixelsPerSecond(1480, 8, 124, 1) * (60 / 124);
  const other = pixelsPerSecond(1480, 8, 124, 124 / 122) * (60 / 122);
  expect(other).toBeCloseTo(one, 9);
});

test("a deck that runs backwards is drawn as one that runs", () => {
  expect(pixelsPerSecond(1480, 8, 124, -1.5)).toBe(pixelsPerSecond(1480, 8, 124, 1.5));
  expect(pixelsPerSecond(1480, 8, 124, 0)).toBe(pixelsPerSecond(1480, 8, 124, 1));
});

test("the leader's tempo is shared, then that of a deck that plays, then any", () => {
  const deck = (bpm: number | null, more = {}) => ({ bpm, isLoaded: true, isPlaying: false, isLeader: false, ...more });
  expect(referenceBpm([deck(100), deck(124, { isLeader: true })])).toBe(124);
  expect(referenceBpm([deck(100), deck(128, { isPlaying: true })])).toBe(128);
  expect(referenceBpm([deck(null), deck(90)])).toBe(90);
  expect(referenceBpm([deck(100, { isLoaded: false }), deck(null)])).toBe(120);
});

test("tiles in sight are those that the track has", () => {
  expect(tilesIn(-300, 1000, 512, 10_000)).toEqual([0, 1]);
  expect(tilesIn(1024, 1024, 512, 10_000)).toEqual([2, 3]);
  expect(tilesIn(9_900, 1000, 512, 10_000)).toEqual([19, 19]);
  const [first, last] = tilesIn(20_000, 1000, 512, 10_000);
  expect(last).toBeLessThan(first);
});

test("a loop goes round, forwards and backwards, and not for a deck behind it", () => {
  const loop = { start_s: 10, end_s: 12 };
  expect(foldedInLoop(11, 11.5, loop)).toBe(11.5);
  expect(foldedInLoop(11, 12, loop)).toBe(10);
  expect(foldedInLoop(11, 17.25, loop)).toBeCloseTo(11.25);
  expect(foldedInLoop(9, 12.5, loop)).toBeCloseTo(10.5); // it runs into the loop
  expect(foldedInLoop(13, 14, loop)).toBe(14);
  expect(foldedInLoop(11, 9.5, loop)).toBeCloseTo(11.5);
  expect(foldedInLoop(9.5, 9, loop)).toBe(9);
  expect(foldedInLoop(11, 20, null)).toBe(20);
});

test("a lane is as high as the square root of its stem's volume", () => {
  expect(heightOf(0)).toBe(1);
  expect(heightOf(-12.041)).toBeCloseTo(0.5, 4);
  expect(heightOf(null)).toBe(0);
});
