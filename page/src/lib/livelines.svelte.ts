/** A topic whose messages are new lines, each with a number of its own: the live log, the event trace. */

import { CallError } from "./channel";
import { useTopic } from "./connection.svelte";
import { kept } from "./lines";

export type Numbered<T> = T & { number: number };

export class LiveLines<T> {
  items = $state.raw<readonly Numbered<T>[]>([]);
  /** Of all that came, also those that are not kept any more. */
  count = $state(0);
  /** Of those that the server left out. */
  missed = $state(0);
  isAway = $state(false);
  error = $state.raw<unknown>(null);

  /** Take a message's lines. */
  add(found: { items: T[]; missed: number }) {
    const first = this.count;
    this.items = kept(this.items, found.items.map((item, index) => ({ ...item, number: first + index })));
    this.count += found.items.length;
    this.missed += found.missed;
    this.error = null;
  }
}

/** Return the lines of a topic as long as the component lives; `event` is what its messages are called. */
export function useLines<T>(topic: string, event: string): LiveLines<T> {
  const lines = new LiveLines<T>();
  useTopic(
    () => topic,
    (message) => {
      lines.isAway = message.event === "away";
      if (message.event === event) lines.add(message.data as { items: T[]; missed: number });
      else if (message.event === "error") {
        const said = message.data as { code: string; message: string; hint?: string };
        lines.error = new CallError(said.code, said.message, said.hint);
      }
    },
  );
  return lines;
}
