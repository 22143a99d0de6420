/** Lines and numbers of a beat grid for a picture that scrolls. Pure. */

import { beatAt, beatsIn, type Grid } from "./grid";

/** The beats of a whole track, made once for each grid. */
export interface BeatTable {
  times_s: Float64Array;
  numbers: Int32Array;
  beatsPerBar: number;
}

/** Return the beats of a track. */
export function beatTable(grid: Grid, duration_s: number): BeatTable {
  const beats = beatsIn(grid, 0, duration_s);
  return {
    times_s: Float64Array.from(beats, (beat) => beat.time_s),
    numbers: Int32Array.from(beats, (beat) => beat.number),
    beatsPerBar: Math.max(1, Math.round(grid.beats_per_bar)),
  };
}

/** Return the index of the first time that is not before another. */
export function firstAt(times_s: Float64Array, from_s: number): number {
  let low = 0;
  let high = times_s.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times_s[middle] as number) < from_s) low = middle + 1;
    else high = middle;
  }
  return low;
}

export const isDownbeat = (number: number, beatsPerBar: number) =>
  ((number % beatsPerBar) + beatsPerBar) % beatsPerBar === 0;

/** Return the number of a bar as musicians count: the first downbeat begins bar 1. */
export const barOf = (number: number, beatsPerBar: number) => Math.floor(number / beatsPerBar) + 1;

/** Return every how many bars a number fits: 1, 2, 4, 8, … */
export function barStep(bar_px: number, least_px: number): number {
  let step = 1;
  while (bar_px * step < least_px && step < 1024) step *= 2;
  return step;
}

/** Return a grid of one tempo through a beat at a time, for a track whose own grid is not known. */
export function plainGrid(position_s: number, beat: number, bpm: number): Grid {
  const RATE = 48_000;
  return { rate: RATE, bpm, beats_per_bar: 4, anchors: [[position_s * RATE, beat]] };
}

/** Return a grid, moved so that a beat is at a position. */
export function movedGrid(grid: Grid, position_s: number, beat: number): Grid {
  const lag = beatAt(grid, position_s) - beat;
  return lag ? { ...grid, anchors: grid.anchors.map(([frame, number]) => [frame, number - lag] as const) } : grid;
}

/** What a deck says of one moment. */
export interface BeatReading {
  position_s: number;
  beat: number;
}

/**
 * Return by how many beats a grid is off what a deck plays, from two readings in a row that agree; 0
 * where they do not, as while the deck jumps.
 */
export function lagOf(grid: Grid, one: BeatReading, other: BeatReading): number {
  const lags = [one, other].map(({ position_s, beat }) => beatAt(grid, position_s) - beat);
  const [first = 0, second = 0] = lags;
  const LEAST = 0.004; // beats: 2 ms, and single floats of a long track
  if (Math.abs(first - second) > LEAST || Math.abs(second) < LEAST) return 0;
  return second;
}
