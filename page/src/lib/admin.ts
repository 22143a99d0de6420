/** What the engine says to admins. Types, and what is pure. */

export interface User {
  id: number;
  name: string;
  role: string;
  state: string;
  created_s: number;
}

export interface Usage {
  accounts: { account: number; tracks: number; duration_s: number; bundles_bytes: number; jobs: Record<string, number> }[];
  total: { tracks: number; removed: number; duration_s: number; bundles_bytes: number; free_bytes: number; jobs: Record<string, number> };
}

export interface Statistics {
  tracks: number;
  states: Record<string, number>;
  separated: number;
  analysed: number;
  bundles_bytes: number;
  trash_bytes: number | null;
  covers_bytes: number | null;
  backups_bytes: number | null;
  database_bytes: number | null;
  free_bytes: number | null;
}

export interface Day {
  day: string;
  [count: string]: number | string;
}

export interface Hour {
  from_s: number;
  jobs_done: number;
  jobs_failed: number;
}

export interface Change {
  id: number;
  at_s: number;
  actor: string;
  surface: string;
  address: string;
  verb: string;
  target: string;
  params: Record<string, unknown>;
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
  outcome: string;
}

const shown = (value: unknown) => (value === undefined ? "–" : JSON.stringify(value));

/** Return what a change changed, in a line: `rating: 0 → 4`. */
export function changeText({ before, after, params }: Pick<Change, "before" | "after" | "params">): string {
  const keys = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])];
  if (keys.length) {
    return keys
      .map((key) => (before && key in before ? `${key}: ${shown(before[key])} → ${shown(after?.[key])}` : `${key}: ${shown(after?.[key])}`))
      .join(", ");
  }
  return Object.entries(params)
    .map(([key, value]) => `${key}: ${shown(value)}`)
    .join(", ");
}

export interface Bar {
  x: number;
  y: number;
  height: number;
}

/** Return the bars of values, in a box of a width and a height; a value above 0 is at least 1 high. */
export function bars(values: readonly number[], width: number, height: number): { bars: Bar[]; step: number; most: number } {
  const most = Math.max(1, ...values);
  const step = width / Math.max(1, values.length);
  return {
    most,
    step,
    bars: values.map((value, index) => {
      const tall = value > 0 ? Math.max(1, (value / most) * height) : 0;
      return { x: index * step, y: height - tall, height: tall };
    }),
  };
}
