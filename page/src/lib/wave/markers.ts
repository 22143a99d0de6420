/** What is marked in a track: cues with their colours, memory cues, sections. Pure. */

import { isStem } from "../controls";
import type { TrackCue, TrackInfo } from "../decktracks.svelte";

/** A hot cue as the deck has it now; a position that is null: not set. */
export interface LiveCue {
  slot: number;
  position_s: number | null;
  end_s: number | null;
  label: string;
  color: string;
}

export interface Marker {
  /** Number of the hot cue; null for a memory cue. */
  slot: number | null;
  position_s: number;
  end_s: number | null;
  label: string;
  /** `#rrggbb` that was set by hand, or the name of a stem; empty: white. */
  colour: string;
}

const HEX = /^#[0-9a-f]{6}$/i;

/** Return a cue's colour: set by hand, else the stem that enters there, else none. */
export function colourOf(color: string, stem: string | null | undefined): string {
  if (HEX.test(color)) return color;
  return stem && isStem(stem) ? stem : "";
}

const markerOf = (cue: TrackCue): Marker => ({
  slot: cue.slot,
  position_s: cue.position_s,
  end_s: cue.end_s,
  label: cue.label,
  colour: colourOf(cue.color, cue.stem),
});

/** Return all that is marked, in order of time: what the deck has now goes before what the library has. */
export function markersOf(info: TrackInfo | null, live: readonly LiveCue[]): Marker[] {
  const slots = new Set(live.map((cue) => cue.slot));
  const stored = (info?.cues ?? []).filter((cue) => cue.slot === null || !slots.has(cue.slot)).map(markerOf);
  const stemOf = (slot: number) => info?.cues.find((cue) => cue.slot === slot)?.stem;
  const now = live.flatMap((cue): Marker[] => {
    const { slot, position_s, end_s, label } = cue;
    return position_s === null ? [] : [{ slot, position_s, end_s, label, colour: colourOf(cue.color, stemOf(slot)) }];
  });
  return [...stored, ...now].sort((a, b) => a.position_s - b.position_s);
}

/** A section where its name changes. */
export interface SectionMark {
  start_s: number;
  label: string;
}

/** Return the sections of a track; neighbours of one name are one. */
export function sectionsOf(info: TrackInfo | null): SectionMark[] {
  const found: SectionMark[] = [];
  for (const { start_s, label } of info?.sections ?? []) {
    if (found.at(-1)?.label !== label) found.push({ start_s, label });
  }
  return found;
}
