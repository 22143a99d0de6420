/** The engine's health: one word and its reasons, asked for every few seconds while the page is seen. */

import { channel, connection } from "./connection.svelte";

const EVERY_MS = 4000;

interface Answer {
  health: string;
  reasons: string[];
}

class Health {
  word = $state("");
  reasons = $state.raw<readonly string[]>([]);
  private timer: ReturnType<typeof setInterval> | undefined;

  begin() {
    channel.onState((state) => {
      clearInterval(this.timer);
      if (state !== "open") return;
      void this.ask();
      this.timer = setInterval(() => {
        if (document.visibilityState === "visible") void this.ask();
      }, EVERY_MS);
    });
  }

  get tone(): "ok" | "warn" | "bad" {
    if (connection.state === "offline" || connection.state === "away") return "bad";
    if (connection.state === "connecting" || this.word === "") return "warn";
    return this.word === "ok" ? "ok" : this.word === "degraded" ? "warn" : "bad";
  }

  private async ask() {
    try {
      const { health, reasons } = await channel.call<Answer>("health");
      this.word = health;
      this.reasons = reasons;
    } catch {
      // the state of the connection says it
    }
  }
}

export const health = new Health();
