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

export const PRESETS = ["streaming", "apple", "club", "dj", "broadcast"] as const;
export type Preset = (typeof PRESETS)[number];
