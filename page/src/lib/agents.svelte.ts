/** The dialogue with agents, kept while the page is open, and what they propose. */

import { historyOf, type AgentAnswer, type ListedProposal, type Turn } from "./agents";
import { channel } from "./connection.svelte";
import { router } from "./router.svelte";
import { pathOf } from "./router";
import { session } from "./session.svelte";

const ASK_MS = 600_000; // tools may wait for jobs
const TOPIC = "agents";

export interface Asked {
  /** What "this" stands for; 0 for none. */
  track: number;
  /** The agent; empty for the one that fits. */
  task: string;
  /** Whether no language model is asked. */
  isPlain: boolean;
}

class Dialogue {
  turns = $state.raw<readonly Turn[]>([]);
  /** What a model says to the question that is asked, as far as it has come. */
  preview = $state("");
  isAsking = $state(false);
  /** What is typed: it is kept while other views are open. */
  draft = $state("");
  /** The track that was open last in the library; 0 for none. */
  track = $state(0);
  private count = 0;
  private control: AbortController | undefined;

  /** Ask a question; it knows those before. */
  async ask(question: string, { track, task, isPlain }: Asked) {
    if (this.isAsking || !question.trim()) return;
    const number = ++this.count;
    const stream = `page-${number}`;
    const history = historyOf(this.turns);
    [this.isAsking, this.preview] = [true, ""];
    this.turns = [...this.turns, { number, question, answer: null, error: null }];
    const control = (this.control = new AbortController());
    const leave = channel.join(TOPIC, ({ event, data }) => {
      if (event !== "piece") return;
      const piece = data as { stream: string; text: string };
      if (piece.stream === stream) this.preview += piece.text;
    });
    const params = { instruction: question, history, stream, task, model: !isPlain, ...(track && { track }) };
    try {
      const answer = await channel.call<AgentAnswer>("agents.ask", params, ASK_MS, control.signal);
      this.put(number, { answer });
      if (answer.proposals.length) void proposals.refresh();
    } catch (error) {
      this.put(number, { error });
    } finally {
      leave();
      if (this.control === control) [this.isAsking, this.preview] = [false, ""];
    }
  }

  cancel() {
    this.control?.abort();
  }

  clear() {
    this.cancel();
    this.control = undefined;
    [this.turns, this.preview, this.isAsking] = [[], "", false];
  }

  private put(number: number, values: Partial<Turn>) {
    this.turns = this.turns.map((turn) => (turn.number === number ? { ...turn, ...values } : turn));
  }
}

class Proposals {
  /** The number of open ones. */
  count = $state(0);

  async refresh() {
    try {
      this.count = (await channel.call<{ proposals: ListedProposal[] }>("proposals.list", { limit: 200 })).proposals.length;
    } catch {
      // offline: what was known stays
    }
  }
}

export const dialogue = new Dialogue();
export const proposals = new Proposals();

/** Return the address of a track's page; within the library its search stays. */
export function trackHref(id: number): string {
  const isHere = router.route.name === "library" || router.route.name === "track";
  const query = isHere ? router.query.toString() : "";
  return pathOf({ name: "track", id }) + (query && `?${query}`);
}

// Another user may sign in on the same page.
$effect.root(() => {
  $effect(() => {
    if (session.state === "in") return;
    dialogue.clear();
    [dialogue.draft, dialogue.track, proposals.count] = ["", 0, 0];
  });
});
