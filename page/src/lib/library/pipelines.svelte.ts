/** What is prepared now, by track: from the topic `jobs`. */

import { channel } from "../connection.svelte";
import type { TopicEvent } from "../channel";
import type { Job } from "./types";

const REDRAW_MS = 120;

class Pipelines {
  /** Changes with each new state, at most some times a second. */
  version = $state(0);
  private readonly tracks = new Map<number, Job>();
  private readonly jobs = new Map<number, Job>();
  /** When a failed try is repeated, in ms since 1970, by job. */
  private readonly due = new Map<number, number>();
  private timer: ReturnType<typeof setTimeout> | undefined;

  /** Return the job of a track that runs, or waits. */
  of(track: number): Job | undefined {
    return this.tracks.get(track);
  }

  /** Return a job that is known. */
  job(id: number): Job | undefined {
    return this.jobs.get(id);
  }

  /** Return in how many seconds a job is tried again; null if it does not wait for that. */
  wait_s(job: number): number | null {
    const due = this.due.get(job);
    return due === undefined ? null : Math.max(0, (due - Date.now()) / 1000);
  }

  readonly listen = ({ event, data }: TopicEvent) => {
    if (event === "state") {
      this.tracks.clear();
      for (const job of (data as { jobs: Job[] }).jobs) this.take(job);
    } else if (event.startsWith("job:")) this.take(data as Job);
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.version++;
    }, REDRAW_MS);
  };

  private take(job: Job) {
    this.jobs.set(job.job, job);
    if (this.jobs.size > 2000) this.jobs.delete(this.jobs.keys().next().value ?? -1);
    if (job.state === "waiting" && job.error) void this.askWait(job.job);
    else this.due.delete(job.job);
    if (job.track === null) return;
    const isLive = job.state === "running" || job.state === "waiting";
    const shown = this.tracks.get(job.track);
    if (isLive && (!shown || shown.state !== "running" || job.state === "running" || shown.job === job.job)) {
      this.tracks.set(job.track, job);
    } else if (!isLive && shown?.job === job.job) this.tracks.delete(job.track);
  }

  private async askWait(job: number) {
    try {
      const shown = await channel.call<{ wait_s: number }>("jobs.show", { job });
      if (shown.wait_s > 0) this.due.set(job, Date.now() + shown.wait_s * 1000);
      this.version++;
    } catch {
      // without it the row says "waiting"
    }
  }
}

export const pipelines = new Pipelines();
