/**
 * Drag and drop by pointer, so that fingers can do it too: a track, a stem or a loop to a pad, a track to
 * a deck. Whatever can be dragged has a handle; every drop has a menu or a button as well.
 */

import { channel } from "../../lib/connection.svelte";
import { desk } from "../../lib/desk.svelte";
import { isLoadLocked } from "../../lib/loadlock.svelte";
import { decks as d } from "../../lib/strings/decks";
import { toasts } from "../../lib/toast.svelte";

export type Cargo =
  | { kind: "track"; id: number; title: string }
  | { kind: "stem"; deck: number; stem: string; title: string }
  | { kind: "loop"; deck: number; title: string };

const START_PX = 6;
const MAX_LABEL = 60;
const TRACK_BEATS = 16; // of a whole track, from its start
const STEM_BEATS = 4; // of a stem without a loop, from where the deck is

class Drag {
  cargo = $state.raw<Cargo | null>(null);
  x = $state(0);
  y = $state(0);
  pad = $state<number | null>(null);
  deck = $state<number | null>(null);

  get text(): string {
    if (this.pad !== null) return d.drop.pad(this.pad);
    if (this.deck !== null) return d.drop.deck(this.deck);
    return d.drop.none;
  }

  move(x: number, y: number) {
    this.x = x;
    this.y = y;
    const under = document.elementFromPoint(x, y);
    const pad = under?.closest<HTMLElement>("[data-drop-pad]")?.dataset["dropPad"];
    const deck = under?.closest<HTMLElement>("[data-drop-deck]")?.dataset["dropDeck"];
    this.pad = pad ? Number(pad) : null;
    this.deck = !pad && deck && this.cargo?.kind === "track" ? Number(deck) : null;
  }

  drop() {
    const { cargo, pad, deck } = this;
    this.end();
    if (!cargo) return;
    if (pad !== null) void putOnPad(pad, cargo);
    else if (deck !== null && cargo.kind === "track") void loadOn(deck, cargo.id);
  }

  end() {
    this.cargo = null;
    this.pad = null;
    this.deck = null;
  }
}

export const drag = new Drag();

/** Put what was dragged on a pad; return whether it was done. */
export async function putOnPad(pad: number, cargo: Cargo): Promise<boolean> {
  if (cargo.kind === "track") {
    const slice = { pad, track: `#${cargo.id}`, by: "beat", count: 1, beats: TRACK_BEATS };
    // A slice of a whole track is called "all 1".
    const label = { path: `pad${pad}.label`, value: cargo.title.slice(0, MAX_LABEL) };
    return (await desk.call("pad.slice", slice)) && desk.call("set", label);
  }
  const stem = cargo.kind === "stem" ? cargo.stem : "all";
  if (cargo.kind === "loop" || desk.control(`deck${cargo.deck}.loop.active`).isOn) {
    return desk.call("pad.loop", { pad, deck: cargo.deck, stem });
  }
  return desk.call("pad.slice", { pad, deck: cargo.deck, stem, by: "beat", count: 1, beats: STEM_BEATS });
}

/** Load a track of the library on a deck; return whether it was done, or is prepared. */
export async function loadOn(deck: number, track: number): Promise<boolean> {
  if (isLoadLocked(deck)) {
    toasts.show(d.lockedDeck(deck));
    return false;
  }
  try {
    const answer = await channel.call<{ preparing?: number; name?: string }>(
      "deck.load",
      { deck, track: `#${track}` },
      60_000,
    );
    if (answer.preparing) toasts.show(d.preparing(answer.name ?? ""));
    return true;
  } catch (error) {
    desk.report(error);
    return false;
  }
}

/** An attachment of a handle: what it drags. */
export function dragSource(cargo: () => Cargo | null) {
  return (node: HTMLElement) => {
    let held: { id: number; x: number; y: number } | null = null;
    const down = (event: PointerEvent) => {
      if (event.button !== 0 || held || !cargo()) return;
      held = { id: event.pointerId, x: event.clientX, y: event.clientY };
      node.setPointerCapture(event.pointerId);
    };
    const move = (event: PointerEvent) => {
      if (event.pointerId !== held?.id) return;
      if (!drag.cargo && Math.hypot(event.clientX - held.x, event.clientY - held.y) > START_PX) drag.cargo = cargo();
      if (drag.cargo) drag.move(event.clientX, event.clientY);
    };
    const up = (event: PointerEvent) => {
      if (event.pointerId !== held?.id) return;
      held = null;
      if (!drag.cargo) return;
      if (event.type === "pointerup") drag.drop();
      else drag.end();
    };
    const native = (event: Event) => event.preventDefault();
    node.style.touchAction = "none";
    node.addEventListener("pointerdown", down);
    node.addEventListener("pointermove", move);
    node.addEventListener("pointerup", up);
    node.addEventListener("pointercancel", up);
    node.addEventListener("dragstart", native);
    return () => {
      if (held) drag.end();
      node.removeEventListener("pointerdown", down);
      node.removeEventListener("pointermove", move);
      node.removeEventListener("pointerup", up);
      node.removeEventListener("pointercancel", up);
      node.removeEventListener("dragstart", native);
    };
  };
}

/** An attachment: tracks may be dropped here to load a deck. */
export function dropDeck(deck: () => number) {
  return (node: HTMLElement) => {
    node.dataset["dropDeck"] = String(deck());
  };
}
