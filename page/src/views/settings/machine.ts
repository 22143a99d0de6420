/** What the verbs say of this machine. Types. */

export interface Models {
  engines: { name: string; ready: boolean; missing: string; models: { name: string; ready: boolean }[] }[];
  usual: { engine: string; model: string };
}

export interface Status {
  health: string;
  reasons: string[];
  engine: {
    rate: number;
    block: number;
    driver: string;
    device: string;
    load_pct: number;
    worst_pct: number;
    blocks: number;
    late: number;
    device_misses: number;
    latency_ms: number;
    host_pid: number;
    stage_pid: number;
  };
}

export interface Tools {
  tools: { name: string; ready: boolean; hint: string }[];
}

export interface SpotifyStatus {
  has_application: boolean;
  logged_in: boolean;
}
