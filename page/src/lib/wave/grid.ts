/** Beat grids: times to beats and back, as `sfa_engine/track/grid.py` has them. Pure. */

/** As `library.show` and a bundle's manifest have it. Anchors are frames at `rate` and beat numbers. */
export interface Grid {
  rate: number;
  bpm: number;
  beats_per_bar: number;
  anchors: readonly (readonly [number, number])[];
}

const SEAM_S = 0.001; // between the two anchors of a seam, where the count of beats jumps

interface Line {
  from_s: number;
  beat: number;
  beatsPer_s: number;
}

/** Return the straight pieces of a grid; the first one goes back to before the track. */
function linesOf(grid: Grid): Line[] {
  const after = grid.bpm / 60;
  return grid.anchors.map(([frame, beat], index) => {
    const next = grid.anchors[index + 1];
    const from_s = frame / grid.rate;
    const slope = next ? ((next[1] - beat) * grid.rate) / (next[0] - frame) : after;
    return { from_s, beat, beatsPer_s: slope };
  });
}

/** Return the number of the beat at a time, usually fractional. */
export function beatAt(grid: Grid, time_s: number): number {
  const lines = linesOf(grid);
  let found = lines[0];
  for (const line of lines) if (line.from_s <= time_s) found = line;
  return found ? found.beat + (time_s - found.from_s) * found.beatsPer_s : 0;
}

export interface Beat {
  time_s: number;
  /** Beat 0 is a downbeat. */
  number: number;
  isDownbeat: boolean;
}

/** Return the beats from a time to another, in order; seams have none of their own. */
export function beatsIn(grid: Grid, from_s: number, to_s: number): Beat[] {
  const beats: Beat[] = [];
  const lines = linesOf(grid);
  const bar = grid.beats_per_bar;
  lines.forEach((line, index) => {
    const begin = index === 0 ? from_s : Math.max(from_s, line.from_s);
    const end = Math.min(to_s, lines[index + 1]?.from_s ?? to_s);
    const isSeam = index + 1 < lines.length && (lines[index + 1]?.from_s ?? 0) - line.from_s <= SEAM_S * 1.5;
    if (end <= begin || isSeam || line.beatsPer_s <= 0) return;
    const first = Math.ceil(line.beat + (begin - line.from_s) * line.beatsPer_s - 1e-6) + 0; // no negative zero
    for (let number = first; ; number++) {
      const time_s = line.from_s + (number - line.beat) / line.beatsPer_s;
      if (time_s >= end - 1e-9 || beats.length > 100_000) break;
      beats.push({ time_s: Math.max(0, time_s), number, isDownbeat: ((number % bar) + bar) % bar === 0 });
    }
  });
  return beats;
}

/** Return the time of the nearest beat. */
export function nearestBeat(grid: Grid, time_s: number): number {
  const around = beatsIn(grid, Math.max(0, time_s - 4), time_s + 4);
  let best = time_s;
  let distance = Infinity;
  for (const beat of around) {
    const off = Math.abs(beat.time_s - time_s);
    if (off < distance) [best, distance] = [beat.time_s, off];
  }
  return best;
}

/**
 * Return a grid after a correction, as `sfa_engine/track/correction.py` makes it: shifted later by beats, of
 * half or double the tempo; null for others.
 */
export function corrected(grid: Grid, params: Record<string, unknown>): Grid | null {
  const { shift, tempo } = params;
  if (typeof shift === "number") return renumbered(grid, 1, -shift);
  if (tempo === "halve") return renumbered(grid, 0.5, 0);
  return tempo === "double" ? renumbered(grid, 2, 0) : null;
}

function renumbered(grid: Grid, factor: number, offset: number): Grid {
  const anchors = grid.anchors.map(([frame, beat]) => [frame, beat * factor + offset] as const);
  return { ...grid, bpm: grid.bpm * factor, anchors };
}

/** Return the number of whole bars of a track. */
export function barsIn(grid: Grid, length_s: number): number {
  return Math.max(0, Math.round((beatAt(grid, length_s) - beatAt(grid, 0)) / grid.beats_per_bar));
}
