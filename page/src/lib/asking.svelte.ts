/**
 * A request in words that may need tracks prepared first: while jobs of its batch run nothing is
 * made, and when they have ended it is asked again with the batch.
 */

export interface Lacking {
  id: number;
  name: string;
  lacks: string;
}

/** What all such verbs answer: `mix.chef`, `loops.plan`, `loops.make`. */
export interface Answer {
  preparing: Lacking[];
  passed_over: { id: number; name: string; why: string }[];
  batch: string;
  notes: string[];
}

export class Asking<Said extends Answer> {
  said = $state.raw<Said | null>(null);
  error = $state.raw<unknown>(null);
  isBusy = $state(false);
  /** The batch whose jobs are waited for; empty without one. */
  batch = $state("");
  private call: ((batch: string) => Promise<Said>) | undefined;

  /** Look what would be made: no job is queued, and none is waited for. */
  async look(call: () => Promise<Said>): Promise<Said | null> {
    return this.run(call, false);
  }

  /** Have it made; null while jobs are waited for, and after an error. */
  async make(call: (batch: string) => Promise<Said>): Promise<Said | null> {
    this.call = call;
    return this.run(() => call(""), true);
  }

  /** Ask again, after the jobs of the batch. */
  async again(): Promise<Said | null> {
    const { call, batch } = this;
    return call ? this.run(() => call(batch), true) : null;
  }

  /** End it with an error: that of a job, say. */
  fail(failure: unknown) {
    this.reset();
    this.error = failure;
  }

  reset() {
    [this.said, this.error, this.batch] = [null, null, ""];
  }

  private async run(call: () => Promise<Said>, waits: boolean): Promise<Said | null> {
    if (this.isBusy) return null;
    [this.isBusy, this.error] = [true, null];
    try {
      this.said = await call();
      this.batch = waits && this.said.preparing.length ? this.said.batch : "";
      return this.batch ? null : this.said;
    } catch (failure) {
      [this.said, this.error, this.batch] = [null, failure, ""];
      return null;
    } finally {
      this.isBusy = false;
    }
  }
}
