/** Which key does what on the decks. Pure: a table, which the page also shows. */

export type Action =
  | { do: "toggle"; path: string }
  | { do: "hold"; path: string }
  | { do: "press"; path: string; value?: number }
  | { do: "bend"; by: number }
  | { do: "sync" }
  | { do: "hotcue"; slot: number; clear: boolean }
  | { do: "mute"; stem: number }
  | { do: "crossfade"; steps: number }
  | { do: "zoom"; steps: number }
  | { do: "deck" }
  | { do: "library" }
  | { do: "keys" }
  | { do: "close" };

export interface Binding {
  /** As `KeyboardEvent.key` has it, small. */
  key: string;
  shift?: boolean;
  action: Action;
  /** How the key is written. */
  shown: string;
  text: string;
}

const key = (key: string, action: Action, text: string, shown = key.toUpperCase()): Binding => ({ key, action, shown, text });

/** The keys of the deck that has the focus; a path begins behind `deckN.`. */
export const BINDINGS: readonly Binding[] = [
  key(" ", { do: "toggle", path: "play" }, "Play and pause", "Space"),
  key("c", { do: "hold", path: "cue" }, "CUE, while held"),
  key("d", { do: "deck" }, "The other deck has the keys"),
  key("s", { do: "sync" }, "Sync on and off"),
  key("q", { do: "toggle", path: "quantise" }, "Quantise"),
  key("k", { do: "toggle", path: "keylock" }, "Keylock"),
  key("p", { do: "toggle", path: "slip" }, "Slip"),
  key("h", { do: "toggle", path: "pfl" }, "Headphones"),
  { key: "1", shown: "1 – 8", text: "Hot cue: jump, or store an empty one", action: { do: "hotcue", slot: 1, clear: false } },
  { key: "1", shift: true, shown: "Shift 1 – 8", text: "Clear the hot cue", action: { do: "hotcue", slot: 1, clear: true } },
  key("l", { do: "press", path: "loop.beatloop" }, "Loop on and off"),
  key("r", { do: "press", path: "loop.reloop" }, "Reloop"),
  key("i", { do: "press", path: "loop.set_in" }, "Loop in"),
  key("o", { do: "press", path: "loop.set_out" }, "Loop out"),
  key(",", { do: "press", path: "loop.halve" }, "Halve the loop", ","),
  key(".", { do: "press", path: "loop.double" }, "Double the loop", "."),
  key("arrowleft", { do: "press", path: "jump", value: -4 }, "Jump 4 beats back", "←"),
  key("arrowright", { do: "press", path: "jump", value: 4 }, "Jump 4 beats on", "→"),
  key("-", { do: "bend", by: -4 }, "Slow down, while held", "−"),
  key("+", { do: "bend", by: 4 }, "Push, while held", "+"),
  key("=", { do: "bend", by: 4 }, "Push, while held", "="),
  key("f", { do: "mute", stem: 0 }, "Mute the 1st stem"),
  key("g", { do: "mute", stem: 1 }, "Mute the 2nd stem"),
  key("v", { do: "mute", stem: 2 }, "Mute the 3rd stem"),
  key("b", { do: "mute", stem: 3 }, "Mute the 4th stem"),
  key("z", { do: "crossfade", steps: -5 }, "Crossfader to the left"),
  key("x", { do: "crossfade", steps: 5 }, "Crossfader to the right"),
  key("[", { do: "zoom", steps: -1 }, "Show fewer bars", "["),
  key("]", { do: "zoom", steps: 1 }, "Show more bars", "]"),
  key("/", { do: "library" }, "Search the library", "/"),
  key("?", { do: "keys" }, "This list", "?"),
  key("escape", { do: "close" }, "Back to the waveforms", "Esc"),
];

/** What a key event says. */
export interface Stroke {
  key: string;
  code: string;
  shiftKey: boolean;
}

const plain = new Map(BINDINGS.filter((each) => each.action.do !== "hotcue").map((each) => [each.key, each.action]));

/** Return what a key does; null for none. Digits by their place, so that Shift and layouts do not matter. */
export function actionOf({ key, code, shiftKey }: Stroke): Action | null {
  const digit = /^(?:Digit|Numpad)([1-8])$/.exec(code);
  if (digit) return { do: "hotcue", slot: Number(digit[1]), clear: shiftKey };
  return plain.get(key.toLowerCase()) ?? null;
}
