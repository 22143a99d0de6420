import type { Limits } from "./numbers";

/** What `prep.mastered` returns. */

export interface PlatformChange {
  platform: string;
  level_lufs: number;
  sentence: string;
}

export type MasterReport = Record<string, unknown> & {
  platforms?: PlatformChange[];
  broadcast?: string;
  remarks: string[];
};

export interface Mastered {
  job: number;
  files: { name: string }[];
  source: MasterReport;
  result: MasterReport | null;
  chain: { kind: string; reason: string }[];
  compare: { lufs: number; start_s: number } | null;
}

export const CODECS = ["aac-256", "aac-128", "mp3-320", "mp3-128", "opus-128", "none"] as const;
export type Codec = (typeof CODECS)[number];
export const FORMATS = ["flac", "wav", "none"] as const;
export type Format = (typeof FORMATS)[number];
export const BITS = ["24", "16"] as const;
export type Bits = (typeof BITS)[number];

/** What `prep.master` takes. */
export const TARGET_LUFS: Limits = { low: -40, high: -4 };
export const CEILING_DBTP: Limits = { low: -12, high: 0 };
export const LIMIT_DB: Limits = { low: 0, high: 12 };

export const PRESETS = ["streaming", "apple", "club", "dj", "broadcast"] as const;
export type Preset = (typeof PRESETS)[number];
