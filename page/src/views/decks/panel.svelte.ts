/** What the view shows: which decks, which deck the keys play, which tool is open. */

import { desk } from "../../lib/desk.svelte";

export type Tool = "library" | "sampler" | "kits" | "effects" | "recorder" | "presets" | "mixer" | "keys" | "more";
export const ZOOMS_BARS = [2, 4, 8, 16, 32] as const;
const KEYS = "sfa.decks.keys";

class Panel {
  /** The decks that are seen, left and right; with four decks by tabs. */
  left = $state(1);
  right = $state(2);
  /** The deck that keys and a narrow window play. */
  focus = $state(1);
  tool = $state<Tool | null>(null);
  /** For which deck the library is open. */
  loadFor = $state(1);
  /** The pad that is set up, 1 to 64. */
  pad = $state(1);
  zoom_bars = $state<number>(8);
  /** Whether single keys play the decks. */
  hasKeys = $state(localStorage.getItem(KEYS) !== "off");

  /** The decks of the engine: two, or four. */
  readonly decks = $derived.by(() => {
    const numbers: number[] = [];
    for (let deck = 1; desk.infos.has(`deck${deck}.play`); deck++) numbers.push(deck);
    return numbers.length ? numbers : [1, 2];
  });

  open(tool: Tool) {
    this.tool = this.tool === tool ? null : tool;
  }

  openLibrary(deck: number) {
    this.loadFor = deck;
    this.tool = "library";
  }

  close() {
    this.tool = null;
  }

  /** Show a deck on its side, and give it the keys. */
  show(deck: number) {
    if (deck % 2) this.left = deck;
    else this.right = deck;
    this.focus = deck;
  }

  zoom(steps: number) {
    const now = ZOOMS_BARS.findIndex((bars) => bars === this.zoom_bars);
    this.zoom_bars = ZOOMS_BARS[Math.min(ZOOMS_BARS.length - 1, Math.max(0, now + steps))] ?? 8;
  }

  setKeys(on: boolean) {
    this.hasKeys = on;
    localStorage.setItem(KEYS, on ? "on" : "off");
  }
}

export const panel = new Panel();
