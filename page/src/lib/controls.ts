/** What `describe` says of a control. Types only, and the few questions that many ask. */

import type { Taper } from "./travel";

export type Kind = "fader" | "switch" | "choice" | "button" | "meter" | "text";
export type Value = number | string | null;

export interface ControlInfo {
  path: string;
  kind: Kind;
  sentence: string;
  label: string;
  group: string;
  order: number;
  color: string;
  unit: string;
  low: number | null;
  high: number | null;
  rest: Value;
  optional: boolean;
  whole: boolean;
  digits: number;
  law: "plain" | "gain";
  taper: Taper;
  detent: number | null;
  glide: number;
  held: boolean;
  momentary: boolean;
  settable: boolean;
  options: string[];
  owner: "engine" | "stage";
  verb: string;
  refusable: boolean;
  planned: boolean;
}

export const STEMS = ["vocals", "drums", "bass", "other", "guitar", "piano", "mix"] as const;
export type Stem = (typeof STEMS)[number];
export type Hue = Stem | "neutral" | "alert";

/** Return whether a word is a stem's name. */
export function isStem(word: string): word is Stem {
  return (STEMS as readonly string[]).includes(word);
}

/** Return the CSS colour of a control's `color`. */
export function hueOf(color: string): string {
  return `var(--${tokenOf(color)})`;
}

/** Return the name of the token that a hue is drawn in. */
export function tokenOf(color: string): string {
  if (color === "alert") return "bad";
  return isStem(color) ? color : "ink";
}

/**
 * Return few enough patterns that have at least the paths: `playback` takes 200, and a star stands for
 * dots too. Numbers and stems are generalised where there are more; what comes in excess is ignored.
 */
export function patternsOf(paths: Iterable<string>, most: number): string[] {
  let found = new Set(paths);
  const steps: [RegExp, string][] = [
    [/\.stem\.[a-z]+\./, ".stem.*."],
    [/^pad\d+\./, "pad*."],
    [/\.hotcue\d+\./, ".hotcue*."],
    [/^deck\d\./, "deck?."],
    [/^(\w+?)\d+\./, "$1*."],
    [/\.[^.]+$/, ".*"],
  ];
  for (const [pattern, general] of steps) {
    if (found.size <= most) break;
    found = new Set([...found].map((path) => path.replace(pattern, general)));
  }
  return [...found].sort();
}
