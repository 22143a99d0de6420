/** The keyboard on the decks: single keys play the deck that has the focus. */

import { desk } from "../../lib/desk.svelte";
import { deckTrack } from "../../lib/decktracks.svelte";
import { actionOf, type Action } from "./keys";
import { panel } from "./panel.svelte";

const TYPED = "input, textarea, select, [contenteditable]";
const OWN_KEYS = "button, a, summary, [role='tab'], [role='slider'], [role='option'], [role='listbox']";

/** Listen as long as the component lives. */
export function useKeyboard() {
  $effect(() => {
    const held = new Map<string, () => void>();
    const down = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      const action = actionOf(event);
      if (!action) return;
      const isAlways = action.do === "close" || action.do === "keys";
      if ((!panel.hasKeys && !isAlways) || isForElement(event, action)) return;
      event.preventDefault();
      if (event.repeat && action.do !== "crossfade") return;
      const end = run(action);
      if (end) held.set(event.code, end);
    };
    const up = (event: KeyboardEvent) => {
      held.get(event.code)?.();
      held.delete(event.code);
    };
    const away = () => {
      for (const end of held.values()) end();
      held.clear();
    };
    addEventListener("keydown", down);
    addEventListener("keyup", up);
    addEventListener("blur", away);
    return () => {
      away();
      removeEventListener("keydown", down);
      removeEventListener("keyup", up);
      removeEventListener("blur", away);
    };
  });
}

/** Whether the focused element takes the key itself: a text, or what was reached by Tab. */
function isForElement(event: KeyboardEvent, action: Action): boolean {
  const target = event.target;
  if (!(target instanceof HTMLElement)) return false;
  if (target.matches(TYPED)) return action.do !== "close";
  if (target.closest("dialog, [role='menu']")) return true;
  const isOwn = event.key === " " || event.key.startsWith("Arrow");
  return isOwn && target.matches(":focus-visible") && !!target.closest(OWN_KEYS);
}

/** Do what a key says; return what its release does, if it is held. */
function run(action: Action): (() => void) | undefined {
  const deck = `deck${panel.focus}`;
  switch (action.do) {
    case "toggle":
      desk.control(`${deck}.${action.path}`).toggle();
      return undefined;
    case "hold": {
      const control = desk.control(`${deck}.${action.path}`);
      void control.press(1);
      return () => void control.letGo();
    }
    case "press":
      void desk.control(`${deck}.${action.path}`).press(action.value);
      return undefined;
    case "bend": {
      const bend = desk.control(`${deck}.bend`);
      bend.touch();
      bend.set(action.by);
      return () => bend.release();
    }
    case "sync": {
      const sync = desk.control(`${deck}.sync`);
      sync.set(sync.isOn ? 0 : (sync.info?.options.length ?? 1) - 1);
      return undefined;
    }
    case "hotcue": {
      const bank = Math.max(1, desk.control(`${deck}.hotcue_bank`).number);
      const cue = `${deck}.hotcue${(bank - 1) * 8 + action.slot}`;
      if (action.clear) {
        void desk.control(`${cue}.clear`).press();
        return undefined;
      }
      const press = desk.control(`${cue}.press`);
      void press.press(1);
      return () => void press.letGo();
    }
    case "mute": {
      const stem = deckTrack(panel.focus).stems[action.stem];
      if (stem) desk.control(`${deck}.stem.${stem}.mute`).toggle();
      return undefined;
    }
    case "crossfade":
      desk.control("crossfader").step(action.steps);
      return undefined;
    case "zoom":
      panel.zoom(action.steps);
      return undefined;
    case "deck": {
      const decks = panel.decks;
      panel.show(decks[(decks.indexOf(panel.focus) + 1) % decks.length] ?? 1);
      return undefined;
    }
    case "library":
      panel.openLibrary(panel.focus);
      return undefined;
    case "keys":
      panel.open("keys");
      return undefined;
    case "close":
      panel.close();
      return undefined;
  }
}
