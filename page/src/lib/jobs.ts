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
