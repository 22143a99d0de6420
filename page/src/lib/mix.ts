/** Plans of mixes as `mix.show` gives them, and where they are on a timeline. Pure. */

import type { Answer } from "./asking.svelte";
import type { Limits } from "./numbers";

export interface MixName {
  name: string;
  tracks: number;
}

export interface PlannedTrack {
  id: number;
  name: string;
  deck: number;
  place: number;
  missing: boolean;
  bpm: number | null;
  camelot: string | null;
  start_s: number | null;
  end_s: number | null;
  why?: string;
}

export type TransitionKind = "blend" | "fade" | "follow";

export interface Transition {
  out: number;
  into: number;
  place: number;
  kind: TransitionKind;
  bars?: number;
  seconds?: number;
  start_s: number | null;
  end_s: number | null;
  why?: string[];
  fallback?: string;
}

export interface MixPlan {
  name: string;
  arc: string;
  length_s: number | null;
  problem: string;
  notes: string[];
  text: string;
  tracks: PlannedTrack[];
  transitions: Transition[];
}

export interface Goal {
  name: string;
  value: number | null;
  goal: string;
  is_met: boolean | null;
}

export interface Audition {
  key: string;
  done: boolean;
  job?: number;
  length_s?: number;
  start_s?: number;
  end_s?: number;
  goals?: Goal[];
}

interface OnDeck {
  track: number;
  name: string;
  deck: number;
}

export interface MixStatus {
  running: boolean;
  note: string;
  name?: string;
  place?: number;
  tracks?: number;
  now?: OnDeck | null;
  next?: (OnDeck & { loaded: boolean }) | null;
  transition?: { kind: TransitionKind; bars?: number } | null;
  transition_in_s?: number | null;
  taken?: string[];
  dropped?: string[];
}

export const ARCS = ["steady", "rising", "falling", "wave", "peak"] as const;
export type Arc = (typeof ARCS)[number];

/** What a plan may be called: as `FileName` has it. */
export const NAME_PATTERN = /^[a-z0-9][a-z0-9-]*$/;

const MIN_S = 1; // of a bar: a follow has no length

export interface Span {
  left_pct: number;
  width_pct: number;
}

/** Return where something is on a timeline; null without times. */
export function spanOf(start_s: number | null, end_s: number | null, length_s: number | null): Span | null {
  if (start_s === null || end_s === null || !length_s) return null;
  const from = Math.max(0, Math.min(start_s, end_s));
  const to = Math.min(length_s, Math.max(start_s, end_s, from + MIN_S));
  return { left_pct: (100 * from) / length_s, width_pct: (100 * Math.max(0, to - from)) / length_s };
}

/** Return numbers with the one at a place moved by a step; null if it does not go there. */
export function moved(ids: readonly number[], place: number, step: number): number[] | null {
  const to = place + step;
  const number = ids[place];
  if (number === undefined || to < 0 || to >= ids.length) return null;
  const made = ids.filter((_, index) => index !== place);
  made.splice(to, 0, number);
  return made;
}

/** Return the decks that controls are of, each once. */
export function decksOf(controls: readonly string[]): number[] {
  const found = new Set<number>();
  for (const path of controls) {
    const deck = /^deck(\d+)\./.exec(path)?.[1];
    if (deck) found.add(Number(deck));
  }
  return [...found].sort((a, b) => a - b);
}

/** What `mix.plan` and `mix.chef` take. */
export const RATE_PCT: Limits = { low: 0, high: 8 };
export const LUFS: Limits = { low: -30, high: -6 };
export const COUNT: Limits = { low: 1, high: 300, isWhole: true };

/** What `mix.chef` returns. */
export interface Recipe extends Answer {
  name: string;
  stored: boolean;
  recipe: { arc: string; count: number; mute: string[]; only: string[]; first: string | null; last: string | null; unknown: string[] };
  mix: MixPlan | null;
}

/** Return the tracks that were typed, one a line. */
export const linesOf = (text: string) =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);

/** Return the pairs of tracks of which both were typed. */
export const pairsOf = (pairs: readonly { one: string; next: string }[]) =>
  pairs.map(({ one, next }) => [one.trim(), next.trim()] as const).filter(([one, next]) => one && next);
