/** How much of a deck the room hears: channel fader and crossfader, by the engine's own curves. Pure. */

export type Assign = "auto" | "left" | "through" | "right";
export type Curve = "linear" | "power" | "cut";
const CUT = 0.02; // of the way: how far the cut curve takes from silent to full
const CUT_AWAY = 0.98; // of the way to the other side: from here on a deck counts as silent

export interface Mix {
  deck: number;
  fader_db: number;
  faderOff_db: number;
  crossfader: number;
  isReverse: boolean;
  assign: string;
  curve: string;
}

/** Return how far the crossfader is from a deck's side: 0 to 1. */
export function awayOf({ deck, crossfader, isReverse, assign }: Mix): number {
  if (assign === "through") return 0;
  const isLeft = assign === "left" || (assign === "auto" && deck % 2 === 1);
  const place = (isReverse ? -crossfader : crossfader) / 100;
  return isLeft ? (1 + place) / 2 : (1 - place) / 2;
}

/** Return a deck's gain in the room, 0 to 1; a fader above 0 dB counts as full. */
export function gainOf(mix: Mix): number {
  if (mix.fader_db <= mix.faderOff_db) return 0;
  return Math.min(1, 10 ** (mix.fader_db / 20)) * sideOf(mix);
}

function sideOf(mix: Mix): number {
  if (mix.assign === "through") return 1;
  const away = awayOf(mix);
  if (mix.curve === "power") return away < 1 ? Math.cos((Math.PI * away) / 2) : 0;
  if (mix.curve === "cut") return Math.min(1, Math.max(0, (1 - away) / CUT));
  return Math.min(1, 2 * (1 - away));
}

/** Return whether a deck that plays is audible, as `session.lock` has it. */
export function isOpen(mix: Mix): boolean {
  return mix.fader_db > mix.faderOff_db && awayOf(mix) < CUT_AWAY;
}
