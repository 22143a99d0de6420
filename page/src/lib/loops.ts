/** Sets of loops as `loops.plan`, `loops.make` and `loops.made` give them. Pure. */

import type { Answer } from "./asking.svelte";
import type { Limits } from "./numbers";

/** A loop: where it was found or cut. */
export interface Loop {
  pad: number;
  track: number;
  stem: string;
  beats: number;
  start_s: number;
  bpm: number;
  key: string;
  why: string;
  /** Of the track; of one that was cut. */
  name?: string;
  /** The tempo of the track, if the loop is stretched to another. */
  track_bpm?: number;
}

/** What `loops.plan` and `loops.make` return. */
export interface LoopSet extends Answer {
  name: string;
  loops: Loop[];
  job: number | null;
}

/** What `loops.made` returns. */
export interface LoopsMade {
  job: number;
  loops: Loop[];
  /** The name of the kit, or empty. */
  kit: string;
  files: { name: string }[];
  missing: { stem: string; count: number }[];
  passed_over: { name: string; why: string }[];
}

export const BPM: Limits = { low: 20, high: 400 };

/** Return how long a loop is in its track, in seconds. */
export const lengthOf = (loop: Loop) => (60 * loop.beats) / (loop.track_bpm ?? loop.bpm);

/** Return what sounds in a loop: its stem, or all that its track has; a track without stems is its mix alone. */
export function stemsOf(loop: Loop, there: readonly string[]): readonly string[] {
  const stems = there.length ? there : ["mix"];
  return loop.stem === "mix" ? stems : stems.filter((stem) => stem === loop.stem);
}
