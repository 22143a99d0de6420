/** The load of the audio thread over time, as `/api/engine/history` gives it. Pure. */

export interface LoadPoint {
  at_s: number;
  load_pct: number;
  worst_pct: number;
}

export interface EngineHistory {
  span_s: number;
  period_s: number;
  points: LoadPoint[];
  loads: { at_s: number; deck: number; title: string }[];
}

/** Return points as lines that end where nothing was measured for longer than `gap_s`. */
export function gapped(points: readonly LoadPoint[], gap_s: number): LoadPoint[][] {
  const lines: LoadPoint[][] = [];
  let last = -Infinity;
  for (const point of points) {
    if (point.at_s - last > gap_s) lines.push([]);
    lines.at(-1)?.push(point);
    last = point.at_s;
  }
  return lines;
}

/** Return the end of a scale in per cent that has room for values: at least 4, and four even parts. */
export function scaleOf(values: readonly number[]): number {
  const most = Math.max(3.5, ...values) * 1.1;
  return [4, 8, 12, 20, 40, 60, 80, 100, 120, 160, 200, 400].find((each) => each >= most) ?? Math.ceil(most / 400) * 400;
}

/** Return a point for each minute: the mean load, the worst block. */
export function perMinute(points: readonly LoadPoint[]): LoadPoint[] {
  const minutes = new Map<number, LoadPoint[]>();
  for (const point of points) {
    const minute = Math.floor(point.at_s / 60) * 60;
    minutes.set(minute, [...(minutes.get(minute) ?? []), point]);
  }
  return [...minutes].map(([at_s, found]) => ({
    at_s,
    load_pct: found.reduce((sum, each) => sum + each.load_pct, 0) / found.length,
    worst_pct: Math.max(...found.map((each) => each.worst_pct)),
  }));
}
