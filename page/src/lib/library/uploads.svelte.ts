/** Files on their way to the machine: two at once, again after errors, and what becomes of each. */

import { t } from "../strings";
import { Problem } from "../api/problem";
import { upload } from "../api/upload";
import { lineOf } from "../api/problem";

const AT_ONCE = 2; // the machine takes three of an account
const RETRIES = 3; // by itself, after a lost connection
const RETRY_S = 3;

export type UploadState = "queued" | "sending" | "sent" | "failed" | "stopped";

export class Upload {
  state = $state<UploadState>("queued");
  share = $state(0);
  error = $state("");
  /** Its jobs, when it is there. */
  batch = $state("");
  /** When it is tried again, in ms since 1970; 0: not by itself. */
  due = $state(0);
  tries = 0;
  abort: AbortController | null = null;

  constructor(
    readonly id: number,
    readonly file: File,
  ) {}
}

class Uploads {
  all = $state.raw<readonly Upload[]>([]);
  private next = 1;

  add(files: readonly File[]) {
    const fresh = files.map((file) => new Upload(this.next++, file));
    for (const one of fresh.filter(({ file }) => file.size === 0)) {
      one.state = "failed";
      one.error = t.upload.empty;
    }
    this.all = [...this.all, ...fresh];
    this.pump();
  }

  abort(one: Upload) {
    one.due = 0;
    if (one.abort) one.abort.abort();
    else one.state = "stopped";
  }

  retry(one: Upload) {
    one.state = "queued";
    one.error = "";
    one.share = 0;
    one.tries = 0;
    one.due = 0;
    this.pump();
  }

  clear() {
    this.all = this.all.filter((one) => one.state === "queued" || one.state === "sending");
  }

  private pump() {
    let running = this.all.filter((one) => one.state === "sending").length;
    for (const one of this.all) {
      if (running >= AT_ONCE) break;
      if (one.state !== "queued" || one.due > Date.now()) continue;
      running++;
      void this.send(one);
    }
  }

  private async send(one: Upload) {
    one.state = "sending";
    one.tries++;
    one.abort = new AbortController();
    try {
      const answer = await upload(one.file, (share) => (one.share = share), one.abort.signal);
      one.batch = answer.batch;
      one.share = 1;
      one.state = "sent";
    } catch (error) {
      const problem = error instanceof Problem ? error : null;
      const wait_s = problem?.status === 429 || problem?.status === 503 ? (problem.retryAfter_s ?? RETRY_S) : RETRY_S;
      const mayRetry = problem?.code === "network" || problem?.status === 429 || problem?.status === 503;
      one.error = problem?.code === "aborted" ? "" : lineOf(error);
      if (problem?.code === "aborted") one.state = "stopped";
      else if (mayRetry && (problem.status === 429 || one.tries <= RETRIES)) {
        one.state = "queued";
        one.due = Date.now() + wait_s * 1000;
        setTimeout(() => this.pump(), wait_s * 1000 + 50);
      } else one.state = "failed";
    }
    one.abort = null;
    this.pump();
  }
}

export const uploads = new Uploads();
