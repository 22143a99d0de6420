import { expect, test } from "vitest";
import { followerOf, phaseOf, placeInRow, type Follower } from "./phase";

const deck = (number: number, more: Partial<Follower> = {}): Follower => ({
  deck: number,
  isSynced: false,
  isLeader: false,
  isPlaying: true,
  lag: 0,
  ...more,
});

test("the deck that syncs follows, else the one that does not lead", () => {
  expect(followerOf(deck(1, { isLeader: true }), deck(2, { isSynced: true }))?.deck).toBe(2);
  expect(followerOf(deck(1, { isSynced: true }), deck(2))?.deck).toBe(1);
  expect(followerOf(deck(1), deck(2, { isLeader: true }))?.deck).toBe(1);
  expect(followerOf(deck(1), deck(2))).toBeNull();
  expect(followerOf(deck(1, { isPlaying: false }), deck(2, { isSynced: true }))).toBeNull();
});

test("a beat that lags is late, one that leads is early, and what is not heard is in time", () => {
  expect(phaseOf(deck(2, { lag: 0.02 }))).toEqual({ is: "late", deck: 2, beats: 0.02 });
  expect(phaseOf(deck(2, { lag: -0.3 }))).toEqual({ is: "early", deck: 2, beats: 0.3 });
  expect(phaseOf(deck(2, { lag: 0.004 }))).toEqual({ is: "in-time", deck: 2 });
  expect(phaseOf(null)).toEqual({ is: "none" });
});

test("a beat has its place in the bar, before the first downbeat too", () => {
  expect([0, 5.9, -0.5, -1].map((beat) => placeInRow(beat))).toEqual([0, 1, 3, 3]);
});
