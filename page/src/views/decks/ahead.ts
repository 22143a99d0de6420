/** What comes next in a track: a section or a cue, and how far away it is. Pure. */

import type { TrackInfo } from "../../lib/decktracks.svelte";

export interface Ahead {
  name: string;
  at_s: number;
}

export interface CuePlace {
  position_s: number;
  name: string;
}

const NEAR_S = 0.05; // what is at the playhead is not ahead

/** Return the next section or named cue after a position; null after the last one. */
export function nextPlace(info: TrackInfo, cues: readonly CuePlace[], position_s: number): Ahead | null {
  let found: Ahead | null = null;
  const offer = (name: string, at_s: number) => {
    if (name && at_s > position_s + NEAR_S && (!found || at_s < found.at_s)) found = { name, at_s };
  };
  info.sections.forEach(({ label, start_s }, index) => {
    if (index === 0 || info.sections[index - 1]?.label !== label) offer(label, start_s);
  });
  for (const cue of cues) offer(cue.name, cue.position_s);
  return found;
}

/** Return how many bars lie in a stretch of the track; null without a tempo. */
export function barsIn(stretch_s: number, bpm: number | null, beatsPerBar: number): number | null {
  return bpm ? (stretch_s * bpm) / 60 / beatsPerBar : null;
}
