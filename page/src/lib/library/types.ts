/** What the library's verbs return, as far as the page uses it. */

import type { Grid } from "../wave/grid";

export type TrackState = "added" | "preparing" | "ready" | "failed";

/** A row of a list: `library.rows`. */
export interface Row {
  id: number;
  title: string;
  artist: string;
  album: string;
  genre: string;
  year: number | null;
  duration_s: number | null;
  state: TrackState;
  problem: string;
  bpm: number | null;
  key: string | null;
  camelot: string | null;
  energy: number | null;
  stems: string[];
  preview: boolean;
  check_grid: boolean;
  rating: number;
  color: string;
  play_count: number;
  added_at: number;
  /** Name of its bundle's folder. */
  bundle: string | null;
  has_cover: boolean;
  account: string | null;
  /** The failed job to retry. */
  job: number | null;
}

export interface Cue {
  id: number;
  position_s: number;
  end_s: number | null;
  kind: string;
  /** Number of the hot cue; null: a memory cue. */
  slot: number | null;
  label: string;
  color: string;
  stem: string | null;
  on_load: boolean;
  by_hand: boolean;
}

export interface Section {
  start_s: number;
  end_s: number;
  label: string;
}

export interface Alternative {
  change: string;
  bpm: number;
  score: number;
}

export interface StemOrigin {
  name: string;
  engine: string;
  model: string;
  version: string;
  sketch: boolean;
  preview: boolean;
  made_at: number;
}

export interface TrackGrid extends Grid {
  by_hand: boolean;
  first_downbeat_s: number;
}

/** All about a track: `library.show`. */
export interface Track extends Omit<Row, "has_cover" | "job"> {
  uuid: string;
  name: string;
  bundle: string | null;
  cover: string | null;
  comment: string;
  lufs: number | null;
  peak_dbtp?: number | null;
  played_at: number | null;
  changed_at: number;
  deleted_at: number | null;
  source: string;
  source_path: string | null;
  sources: string[];
  grid_by_hand: boolean;
  grid: TrackGrid | null;
  cues: Cue[];
  origins: StemOrigin[];
  confidence?: number | null;
  confidences?: Record<string, number>;
  alternatives?: Alternative[];
  variable?: boolean;
  sections?: Section[];
  damage: string;
  notes: string[];
  preview_s: [number, number] | null;
}

export interface Playlist {
  id: number;
  name: string;
  source: string | null;
  tracks: number;
  duration_s: number;
}

export type Entry = { entry: number } & Row;

export interface Play {
  id: number;
  name: string;
  deck: number;
  played_at: number;
}

export interface Flag {
  track_id: number;
  name: string;
  title?: string;
  reason: string;
  flagged_at: number;
}

/** A job as the channel says it. */
export interface Job {
  job: number;
  kind: string;
  state: "waiting" | "running" | "done" | "skipped" | "failed" | "cancelled";
  title: string;
  track: number | null;
  percent: number;
  doing: string;
  error: string | null;
}

/** The tags that tracks have: `library.tags`. */
export interface TagCounts {
  tags: { name: string; kind: "genre" | "other"; count: number }[];
  tagged: number;
  tracks: number;
}
