/** What was added on this page: batches, with the steps of each of their tracks. */

import { channel } from "../connection.svelte";
import { pipelines } from "./pipelines.svelte";
import type { Job } from "./types";

const DELAY_MS = 300;

interface Listed extends Omit<Job, "job" | "percent"> {
  id: number;
  progress: number;
  wait_s: number;
  attempts: number;
}

export class Batch {
  /** Its jobs, oldest first; those of a track follow each other. */
  jobs = $state.raw<readonly Listed[]>([]);
  constructor(
    readonly id: string,
    readonly title: string,
  ) {}
}

class Added {
  all = $state.raw<readonly Batch[]>([]);
  private timer: ReturnType<typeof setTimeout> | undefined;
  private followers = 0;

  add(id: string, title: string) {
    if (this.all.some((batch) => batch.id === id)) return;
    this.all = [new Batch(id, title), ...this.all].slice(0, 50);
    this.readSoon();
  }

  clear() {
    this.all = this.all.filter((batch) => batch.jobs.some((job) => job.state === "running" || job.state === "waiting"));
  }

  /** Keep the batches up to date; return what ends that. */
  follow(): () => void {
    this.followers++;
    this.readSoon();
    const leave = channel.join("jobs", ({ event }) => {
      if (event.startsWith("job:")) this.readSoon();
    });
    return () => {
      this.followers--;
      leave();
    };
  }

  private readSoon() {
    if (!this.followers && this.all.every((batch) => batch.jobs.length)) return;
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      for (const batch of this.all.slice(0, 12)) void this.read(batch);
    }, DELAY_MS);
  }

  private async read(batch: Batch) {
    const isOver = batch.jobs.length && batch.jobs.every((job) => ["done", "skipped", "cancelled"].includes(job.state));
    if (isOver) return;
    try {
      const { jobs } = await channel.call<{ jobs: Listed[] }>("jobs.list", { batch: batch.id, limit: 200 });
      batch.jobs = [...jobs].reverse();
    } catch {
      // offline: it is read again with the next event
    }
  }

  /** Return how far a job is, live. */
  percentOf(job: Listed): number {
    const live = pipelines.version >= 0 ? pipelines.job(job.id) : undefined;
    if (job.state === "done" || job.state === "skipped") return 100;
    return live?.percent ?? job.progress * 100;
  }
}

export const added = new Added();
export type { Listed };
