/** Jobs as the channel and `jobs.list` give them. Pure. */

export type JobState = "waiting" | "running" | "done" | "skipped" | "failed" | "cancelled";

export interface JobError {
  code: string;
  message: string;
  hint: string;
}

export interface Job {
  id: number;
  kind: string;
  state: JobState;
  title: string;
  track: number | null;
  account: number;
  attempts: number;
  error: JobError | null;
  wait_s: number;
  /** In the line of its queue, from 1; 0 if it is in none. */
  place: number;
  progress: number;
  doing: string;
  created_s: number;
  started_s: number;
  ended_s: number;
}

export interface JobDetail extends Job {
  max_attempts: number;
  batches: string[];
  after: number | null;
  priority: number;
  args: Record<string, unknown>;
  result: Record<string, unknown>;
}

/** What the topic `jobs` sends of one. */
export interface JobEvent {
  job: number;
  kind: string;
  state: JobState;
  title: string;
  track: number | null;
  percent: number;
  doing: string;
  error: JobError | null;
}

/** How many jobs of a queue wait, run, and run at most. */
export interface Line {
  waiting: number;
  running: number;
  most: number;
}

/** What prepares a track, in its order. */
export const CHAIN = ["import", "download", "separate", "analyse", "cue"] as const;
const QUEUES: Record<string, string> = {
  import: "import",
  cue: "import",
  clean: "import",
  download: "download",
  separate: "separation",
  analyse: "analysis",
  tag: "analysis",
  master: "analysis",
};
export const queueOf = (kind: string) => QUEUES[kind] ?? "audition";

/** A track, or a job without one, with the newest job of each kind. */
export interface Row {
  key: string;
  track: number | null;
  title: string;
  artist: string;
  /** The job that says how it is: what runs, else what is retried, failed, waits first, ended last. */
  head: Job;
  /** Of the chain, in its order; null is a step that is not needed. Without any of the chain it is empty. */
  chain: readonly (Job | null)[];
  /** Other kinds: those that still matter, or all there is. */
  others: readonly Job[];
  live: readonly number[];
  failed: readonly number[];
}

const RANK: Record<JobState, number> = { running: 0, failed: 2, cancelled: 3, waiting: 4, done: 5, skipped: 6 };
const rankOf = (job: Job) => (job.state === "waiting" && job.wait_s > 0 ? 1 : RANK[job.state]);
const isChain = (kind: string) => (CHAIN as readonly string[]).includes(kind);

/** Return a row for each track of some jobs, in their order; `steps` are the other jobs of these tracks. */
export function rowsOf(jobs: readonly Job[], steps: readonly Job[]): Row[] {
  const groups = new Map<string, Map<string, Job>>();
  const keyOf = (job: Job) => (job.track === null ? `job ${job.id}` : `track ${job.track}`);
  for (const job of jobs) {
    const kinds = groups.get(keyOf(job)) ?? new Map<string, Job>();
    if (!kinds.has(job.kind)) kinds.set(job.kind, job);
    groups.set(keyOf(job), kinds);
  }
  for (const job of steps) {
    const kinds = groups.get(keyOf(job));
    if (kinds && !kinds.has(job.kind)) kinds.set(job.kind, job);
  }
  return [...groups].map(([key, kinds]) => rowOf(key, [...kinds.values()]));
}

function rowOf(key: string, all: readonly Job[]): Row {
  const hasChain = all.some((job) => isChain(job.kind));
  const jobs = all.filter((job) => !hasChain || isChain(job.kind) || isLive(job.state) || job.state === "failed");
  const head = jobs.reduce((best, job) => {
    const order = rankOf(job) - rankOf(best) || (isLive(job.state) ? job.id - best.id : best.id - job.id);
    return order < 0 ? job : best;
  });
  // That of an import is the name of a file; the others have "artist - title".
  const name = jobs.find((job) => job.kind !== "import")?.title || head.title;
  const [artist, ...title] = name.split(" - ");
  return {
    key,
    track: head.track,
    title: title.join(" - ") || name,
    artist: title.length ? (artist ?? "") : "",
    head,
    chain: hasChain ? CHAIN.map((kind) => jobs.find((job) => job.kind === kind) ?? null) : [],
    others: jobs.filter((job) => !isChain(job.kind)),
    live: jobs.filter((job) => isLive(job.state)).map((job) => job.id),
    failed: jobs.filter((job) => canRetry(job.state)).map((job) => job.id),
  };
}

/** Return in how many seconds a running job ends if it goes on like this; null while that is not known. */
export function left_s(job: Job, now_s: number): number | null {
  const ran_s = now_s - job.started_s;
  return job.state !== "running" || job.progress < 0.03 || ran_s < 2 ? null : (ran_s * (1 - job.progress)) / job.progress;
}

/** Return a place in a line: `2nd`. */
export function ordinal(place: number): string {
  const tens = place % 100;
  const ends = { 1: "st", 2: "nd", 3: "rd" } as Record<number, string>;
  return `${place}${tens > 10 && tens < 14 ? "th" : (ends[place % 10] ?? "th")}`;
}

export const FILTERS = ["all", "running", "waiting", "failed", "done"] as const;
export type Filter = (typeof FILTERS)[number];

/** The states that a filter asks for; none are all. */
export const STATES: Record<Filter, readonly JobState[]> = {
  all: [],
  running: ["running"],
  waiting: ["waiting"],
  failed: ["failed", "cancelled"],
  done: ["done", "skipped"],
};

/** Return the jobs with what an event says; null if the list has to be asked for again. */
export function withEvent(jobs: readonly Job[], event: JobEvent, filter: Filter): readonly Job[] | null {
  const found = jobs.find((job) => job.id === event.job);
  if (!found || found.state !== event.state) return null;
  const states = STATES[filter];
  if (states.length && !states.includes(event.state)) return jobs;
  return jobs.map((job) =>
    job === found ? { ...job, progress: event.percent / 100, doing: event.doing, error: event.error } : job,
  );
}

export const isLive = (state: JobState) => state === "waiting" || state === "running";
export const canRetry = (state: JobState) => state === "failed" || state === "cancelled";
