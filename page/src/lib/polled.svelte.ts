/** What a verb says, asked for again and again while a component shows it and the page is seen. */

import { channel, connection } from "./connection.svelte";

export class Polled<Answer> {
  value = $state.raw<Answer | null>(null);
  error = $state.raw<unknown>(null);

  constructor(
    private readonly method: string,
    private readonly params: Record<string, unknown>,
  ) {}

  readonly ask = async () => {
    try {
      this.value = await channel.call<Answer>(this.method, this.params);
      this.error = null;
    } catch (error) {
      this.error = error;
    }
  };
}

/** Ask a verb now and every so many milliseconds; call it while a component is initialised. */
export function usePolled<Answer>(method: string, every_ms: number, params: Record<string, unknown> = {}): Polled<Answer> {
  const polled = new Polled<Answer>(method, params);
  $effect(() => {
    if (connection.state !== "open" && connection.state !== "away") return;
    void polled.ask();
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") void polled.ask();
    }, every_ms);
    return () => clearInterval(timer);
  });
  return polled;
}
