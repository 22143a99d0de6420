/** Which tracks are on the decks, and the key of the deck that leads. */

import { channel, connection } from "../connection.svelte";
import { desk } from "../desk.svelte";
import { lineOf } from "../api/problem";
import { toasts } from "../toast.svelte";
import { t } from "../strings";
import { camelotOf } from "./camelot";

const DECKS = [1, 2];
const ASK_DELAY_MS = 150; // title, artist and key of a load change together

export const DECK_PATHS = [
  "session.locked",
  ...DECKS.flatMap((deck) => ["title", "loaded", "play", "leader", "key", "audible_key", "tempo"].map((name) => `deck${deck}.${name}`)),
];

class Decks {
  /** Folder of the bundle of each deck, empty without a track. */
  bundles = $state.raw<readonly string[]>(["", ""]);
  private timer: ReturnType<typeof setTimeout> | undefined;

  /** Follow the decks as long as a component lives; call it while it is initialised. */
  use() {
    $effect(() => {
      const stop = DECK_PATHS.map((path) => desk.need(path));
      return () => stop.forEach((each) => each());
    });
    $effect(() => {
      void DECKS.map((deck) => [desk.control(`deck${deck}.title`).value, desk.control(`deck${deck}.loaded`).value]);
      if (connection.state !== "open") return;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => void this.ask(), ASK_DELAY_MS);
    });
  }

  private async ask() {
    try {
      const { decks } = await channel.call<{ decks: { path?: string; bundle?: string; loaded: boolean }[] }>("status");
      const found = decks.map((deck) => (deck.loaded ? (deck.path ?? deck.bundle ?? "") : ""));
      this.bundles = found.map((path) => path.split("/").filter(Boolean).pop() ?? "");
    } catch {
      // it is asked again when a deck changes
    }
  }

  /** Return the decks that a bundle is on. */
  of(bundle: string | null): number[] {
    const name = bundle?.split("/").filter(Boolean).pop();
    return name ? DECKS.filter((deck) => this.bundles[deck - 1] === name) : [];
  }

  /** Whether `session.lock` keeps a deck's track. */
  isLocked(deck: number): boolean {
    return desk.isLocked && desk.control(`deck${deck}.play`).isOn;
  }

  /** The deck that leads: named, else one that plays, else one with a track; 0 for none. */
  get leader(): number {
    const has = (name: string) => DECKS.find((deck) => this.bundles[deck - 1] && desk.control(`deck${deck}.${name}`).isOn);
    return has("leader") ?? has("play") ?? has("loaded") ?? 0;
  }

  /** The Camelot code that others should fit; empty without one. */
  get code(): string {
    const deck = this.leader;
    if (!deck) return "";
    const audible = desk.control(`deck${deck}.audible_key`).value ?? desk.control(`deck${deck}.key`).value;
    return camelotOf(String(audible ?? "")) ?? camelotOf(String(desk.control(`deck${deck}.key`).value ?? "")) ?? "";
  }

  /** Tempo of the deck that leads; 0 without one. */
  get tempo(): number {
    return this.leader ? desk.control(`deck${this.leader}.tempo`).number : 0;
  }

  /** The deck that a track is best loaded on: one without a track, else one that stands. */
  get free(): number {
    return (
      DECKS.find((deck) => !this.bundles[deck - 1] && !this.isLocked(deck)) ??
      DECKS.find((deck) => !desk.control(`deck${deck}.play`).isOn) ??
      DECKS.find((deck) => !this.isLocked(deck)) ??
      0
    );
  }

  /** Load a track on a deck. */
  async load(deck: number, id: number, title: string) {
    if (this.isLocked(deck)) {
      toasts.show(t.library.deckLocked(deck), "bad");
      return;
    }
    try {
      const answer = await channel.call<{ preparing?: number }>("deck.load", { deck, track: `#${id}` }, 30_000);
      toasts.show(answer.preparing ? t.library.preparingFirst(title) : t.library.loaded(title, deck), "ok");
    } catch (error) {
      toasts.show(lineOf(error), "bad");
    }
  }
}

export const decks = new Decks();
