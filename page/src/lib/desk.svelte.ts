/**
 * The desk in the page: every control by its path, made from `describe`; values as the engine pushes
 * them, and what a hand does to them.
 *
 * A component says which paths it shows (`useControl`); the topic `playback` is joined with all of
 * them together. A hand that moves a control sees its own value, not an echo of it, until it lets go
 * and the engine has answered.
 */

import { positionAt, type Anchor } from "./anchor";
import { api } from "./api/client";
import { lineOf } from "./api/problem";
import { CallError, now_s, type TopicEvent } from "./channel";
import { channel, connection } from "./connection.svelte";
import { patternsOf, type ControlInfo, type Hue, type Value } from "./controls";
import { captionOf, shown, textOf } from "./text";
import { toasts } from "./toast.svelte";
import { t } from "./strings";
import { snapped, stepped, travelOf, valueAt, type Scale } from "./travel";

const MAX_PATTERNS = 180; // the server takes 200
const JOIN_DELAY_MS = 60; // the components of a view mount together
const LEAVE_DELAY_MS = 3000; // a view that is left may come back; joins are limited
const SETS_PER_S = 120; // of all controls; the server takes 200 performing requests
const ECHO_MS = 200; // after the last answer a push may have an older value still
const OTHER_MS = 600; // as long as it is shown that another hand moves a control
const DECKS = [1, 2, 3, 4]; // as many as an engine may have

/** One control: what it is, its value, and what a hand may do to it. */
export class Control {
  /** In its unit; null before the first value, or where it is not set. */
  value = $state.raw<Value>(null);
  /** Whether a hand on this page holds it. */
  isTouched = $state(false);
  /** Whether another hand, a controller or sync moves it now. */
  isMovedElsewhere = $state(false);
  readonly path: string;

  private confirmed: Value = null;
  private sent = 0; // calls without an answer
  private guardedUntil_ms = 0;
  private guardTimer: ReturnType<typeof setTimeout> | undefined;
  private otherTimer: ReturnType<typeof setTimeout> | undefined;
  private hasValue = $state(false);
  private readonly desk: Desk;

  constructor(desk: Desk, path: string) {
    this.desk = desk;
    this.path = path;
  }

  // ------------------------------------------------------------------ what it is

  get info(): ControlInfo | undefined {
    return this.desk.infos.get(this.path);
  }

  get label(): string {
    return captionOf(this.info?.label ?? "");
  }

  /** What a screen reader says it is. */
  get name(): string {
    const info = this.info;
    return info ? `${this.label}, ${placeOf(info.path)}` : this.path;
  }

  get hue(): Hue {
    return (this.info?.color ?? "neutral") as Hue;
  }

  get isPlanned(): boolean {
    return this.info?.planned ?? false;
  }

  /** Whether it can be moved now, from where it is: a hand that does not know that would make it jump. */
  get isEnabled(): boolean {
    return this.isSettable && (this.hasValue || this.info?.kind === "button");
  }

  /** Whether a value can be sent now. */
  private get isSettable(): boolean {
    return this.desk.isLive && this.desk.mayPerform && !!this.info && !this.info.planned;
  }

  private get isUnknown(): boolean {
    return this.isSettable && !this.hasValue;
  }

  get text(): string {
    const info = this.info;
    return info ? textOf(info, this.value) : "";
  }

  /** The text for the eye, with a true minus. */
  get shown(): string {
    return shown(this.text);
  }

  get number(): number {
    return typeof this.value === "number" ? this.value : 0;
  }

  get isOn(): boolean {
    return Number(this.value) > 0;
  }

  get travel(): number {
    const scale = this.scale;
    if (!scale) return 0;
    const value = typeof this.value === "number" ? this.value : Number(this.info?.rest ?? scale.low);
    return travelOf(scale, value);
  }

  get restTravel(): number | null {
    const scale = this.scale;
    const rest = this.info?.rest;
    return scale && typeof rest === "number" ? travelOf(scale, rest) : null;
  }

  get detent(): number | null {
    return this.info?.detent ?? null;
  }

  private get scale(): Scale | undefined {
    const info = this.info;
    if (!info || info.low === null || info.high === null) return undefined;
    return { low: info.low, high: info.high, taper: info.taper, whole: info.whole };
  }

  // ------------------------------------------------------------------ a hand

  /** A hand takes it: what the engine pushes waits until it lets go. */
  touch() {
    this.isTouched = true;
  }

  /** Move it to a place of its travel. */
  moveTo(travel: number) {
    const scale = this.scale;
    if (scale && !this.isUnknown) this.set(valueAt(scale, snapped(travel, this.detent)));
  }

  /** Move it by steps: a hundredth of the travel each, or a whole value. */
  step(steps: number) {
    const scale = this.scale;
    if (scale && !this.isUnknown) this.set(valueAt(scale, stepped(scale, this.travel, steps)));
  }

  /** The hand lets go; a control that springs back does. */
  release() {
    if (!this.isTouched) return;
    this.isTouched = false;
    if (this.info?.momentary && this.info.kind !== "button") this.reset();
    this.guard();
  }

  /** Whether a hand that took it still has it. */
  get isHeld(): boolean {
    return this.isTouched;
  }

  /** End the hold of a hand without setting anything; it shows what the engine had last. */
  drop() {
    if (this.value !== this.confirmed) this.value = this.confirmed;
    this.isTouched = false;
  }

  /** Set it to its value at rest. */
  reset() {
    const info = this.info;
    if (info) this.set(info.optional && info.rest === null ? null : info.rest);
  }

  /** Set it, in its unit: shown at once, sent with the next frame, the last value always. */
  set(value: Value) {
    if (!this.isSettable) {
      this.desk.refuse();
      return;
    }
    this.value = value;
    this.guard();
    this.desk.queue(this);
  }

  toggle() {
    if (this.isUnknown) return; // it may be on already
    this.set(this.isOn ? 0 : 1);
  }

  /** Press a button; one that is held is released with `letGo`. */
  async press(value?: number): Promise<boolean> {
    if (!this.isSettable) {
      this.desk.refuse();
      return false;
    }
    return this.desk.call("press", { path: this.path, ...(value !== undefined && { value }) });
  }

  /** Release a button that is held. */
  letGo(): Promise<boolean> {
    return this.press(0);
  }

  // ------------------------------------------------------------------ the engine

  /** Send the present value; `Desk` calls it once a frame. */
  async send() {
    this.sent++;
    const value = this.value;
    try {
      const answer = await channel.call<{ value: Value }>("set", { path: this.path, value });
      this.confirmed = answer.value;
    } catch (error) {
      if (this.sent === 1 && !this.desk.isQueued(this)) this.value = this.confirmed;
      this.desk.report(error);
    } finally {
      this.sent--;
      this.guard();
    }
  }

  /** Take a value that the engine pushed. */
  push(value: Value) {
    const isChange = this.hasValue && value !== this.confirmed;
    this.hasValue = true;
    this.confirmed = value;
    if (this.isGuarded) return;
    if (value !== this.value) this.value = value;
    if (isChange && this.info?.settable) this.showOther();
  }

  private get isGuarded(): boolean {
    return this.isTouched || this.sent > 0 || this.desk.isQueued(this) || Date.now() < this.guardedUntil_ms;
  }

  /** Keep echoes away a moment longer, then show what the engine has. */
  private guard() {
    this.guardedUntil_ms = Date.now() + ECHO_MS;
    clearTimeout(this.guardTimer);
    this.guardTimer = setTimeout(() => {
      if (!this.isGuarded && this.hasValue) this.value = this.confirmed;
    }, ECHO_MS + 10);
  }

  private showOther() {
    this.isMovedElsewhere = true;
    clearTimeout(this.otherTimer);
    this.otherTimer = setTimeout(() => (this.isMovedElsewhere = false), OTHER_MS);
  }
}

/** One deck's place in time. */
export class DeckClock {
  anchor = $state.raw<Anchor | null>(null);

  /** Return the deck's position at a time of `performance.now()`, in seconds of the track. */
  positionAt(now_ms: number): number {
    const anchor = this.anchor;
    return anchor ? positionAt(anchor, channel.clock.serverTime(now_ms / 1000)) : 0;
  }
}

export class Desk {
  /** All that `describe` has, by path. */
  infos = $state.raw<ReadonlyMap<string, ControlInfo>>(new Map());
  /** What went wrong with `describe`, if something did. */
  error = $state.raw<unknown>(null);
  /** Whether the account may perform; the session sets it. */
  mayPerform = $state(false);

  private readonly controls = new Map<string, Control>();
  private readonly clocks = new Map(DECKS.map((deck) => [deck, new DeckClock()]));
  private readonly needed = new Map<string, number>(); // path -> components that show it
  private joined: ReadonlySet<string> = new Set();
  private names: Control[] = [];
  private pushed: (Value | undefined)[] = []; // the last values, in the order of the names
  private leave: (() => void) | undefined;
  private joinTimer: ReturnType<typeof setTimeout> | undefined;
  private readonly queued = new Set<Control>();
  private flushTimer: number | undefined;
  private flushed_ms = 0;

  /** Whether controls can be moved: connected, and the engine answers. */
  get isLive(): boolean {
    return connection.state === "open";
  }

  /** Whether `session.lock` refuses what could ruin the set. */
  get isLocked(): boolean {
    return this.control("session.locked").isOn;
  }

  begin() {
    channel.onState((state) => {
      if (state === "open") void this.describe();
      else this.dropHands();
    });
    document.addEventListener("visibilitychange", () => this.onVisible());
  }

  /** Without a connection nothing is sent late: a hand has to take its control again. */
  private dropHands() {
    this.queued.clear();
    for (const control of this.controls.values()) control.drop();
  }

  /** Return the control of a path. */
  control(path: string): Control {
    let control = this.controls.get(path);
    if (!control) {
      control = new Control(this, path);
      this.controls.set(path, control);
    }
    return control;
  }

  /** Return where a deck is, by its number from 1. */
  deck(deck: number): DeckClock {
    let clock = this.clocks.get(deck);
    if (!clock) this.clocks.set(deck, (clock = new DeckClock()));
    return clock;
  }

  // ------------------------------------------------------------------ describe

  private async describe() {
    try {
      const { controls } = await api.get<{ controls: ControlInfo[] }>("/api/controls");
      const fresh = new Map(controls.map((info) => [info.path, info]));
      // Made here, outside of reactions: what a reaction makes itself does not make it run again.
      for (const path of fresh.keys()) this.control(path);
      if (!isSame(this.infos, fresh)) this.infos = fresh;
      this.error = null;
      this.joinSoon(0);
    } catch (error) {
      this.error = error;
    }
  }

  // ------------------------------------------------------------------ what is shown

  /** Show a path's value from now on; return what ends that. */
  need(path: string): () => void {
    this.needed.set(path, (this.needed.get(path) ?? 0) + 1);
    if (!this.joined.has(path)) this.joinSoon(JOIN_DELAY_MS);
    let isNeeded = true;
    return () => {
      if (!isNeeded) return;
      isNeeded = false;
      const count = (this.needed.get(path) ?? 1) - 1;
      if (count) this.needed.set(path, count);
      else this.needed.delete(path);
      if (!count && this.joinTimer === undefined) this.joinSoon(LEAVE_DELAY_MS);
    };
  }

  private joinSoon(delay_ms: number) {
    if (this.joinTimer !== undefined && delay_ms === LEAVE_DELAY_MS) return;
    clearTimeout(this.joinTimer);
    this.joinTimer = setTimeout(() => this.join(), delay_ms);
  }

  private join() {
    this.joinTimer = undefined;
    if (document.visibilityState === "hidden") return;
    // One path without a value, a button or one of another version, would refuse all of them.
    const paths = new Set([...this.needed.keys()].filter((path) => this.hasValue(path)));
    if (!paths.size) {
      this.pause();
      return;
    }
    if (this.leave && isEqual(paths, this.joined)) return;
    this.joined = paths;
    const leave = channel.join("playback", this.listen, patternsOf(paths, MAX_PATTERNS));
    this.leave ??= leave;
  }

  private hasValue(path: string): boolean {
    const info = this.infos.get(path);
    return info !== undefined && info.kind !== "button" && !info.planned;
  }

  private pause() {
    this.leave?.();
    this.leave = undefined;
    this.joined = new Set();
    this.names = [];
    this.pushed = [];
  }

  /** A hidden page needs no readings; what it shows is true again at once when it is seen. */
  private onVisible() {
    if (document.visibilityState === "hidden") {
      clearTimeout(this.joinTimer);
      this.joinTimer = undefined;
      this.pause();
    } else {
      this.join();
    }
  }

  private readonly listen = ({ event, data }: TopicEvent) => {
    if (event === "values") this.take(data as Value[]);
    else if (event === "names") {
      this.names = (data as string[]).map((name) => this.control(name));
      this.pushed = [];
    }
    else if (event === "anchor") this.takeAnchor(data as Anchor);
    else if (event === "error") this.report(errorOf(data));
  };

  private take(values: readonly Value[]) {
    const count = Math.min(values.length, this.names.length);
    for (let index = 0; index < count; index++) {
      const value = values[index] ?? null;
      if (value === this.pushed[index]) continue; // of 500 values, some 20 move
      this.pushed[index] = value;
      this.names[index]?.push(value);
    }
  }

  private takeAnchor(anchor: Anchor) {
    channel.clock.add(anchor.time_s, now_s());
    const deck = /^deck(\d+)$/.exec(anchor.deck);
    if (deck) this.deck(Number(deck[1])).anchor = anchor;
  }

  // ------------------------------------------------------------------ what is done

  isQueued(control: Control): boolean {
    return this.queued.has(control);
  }

  /** Send a control's value with the next frame; with many hands, with one of the next. */
  queue(control: Control) {
    this.queued.add(control);
    this.flushTimer ??= requestAnimationFrame(this.flush);
  }

  private readonly flush = (now_ms: number) => {
    this.flushTimer = undefined;
    const pause_ms = (this.queued.size * 1000) / SETS_PER_S;
    if (now_ms - this.flushed_ms < pause_ms - 2) {
      this.flushTimer = requestAnimationFrame(this.flush);
      return;
    }
    this.flushed_ms = now_ms;
    const due = [...this.queued];
    this.queued.clear();
    for (const control of due) void control.send();
  };

  /** Call a verb, and report its error in a toast; return whether it was done. */
  async call(method: string, params: Record<string, unknown> = {}): Promise<boolean> {
    try {
      await channel.call(method, params);
      return true;
    } catch (error) {
      this.report(error);
      return false;
    }
  }

  /** Say that nothing is done now. */
  refuse() {
    if (!this.isLive) toasts.show(t.connection.refused, "bad");
  }

  report(error: unknown) {
    if (error instanceof CallError && error.code === "lost") return; // the banner says it
    toasts.show(lineOf(error), "bad");
  }
}

/** Return where a control is, in words: `deck1.stem.vocals.volume` is in `deck 1 vocals`. */
function placeOf(path: string): string {
  const parts = path.split(".").slice(0, -1).filter((part) => part !== "stem");
  return parts.join(" ").replace(/([a-z])(\d+)/g, "$1 $2").replaceAll("_", " ") || path;
}

function errorOf(data: unknown): CallError {
  const { code, message, hint } = data as { code: string; message: string; hint?: string };
  return new CallError(code, message, hint);
}

function isEqual(one: ReadonlySet<string>, other: ReadonlySet<string>): boolean {
  return one.size === other.size && [...one].every((each) => other.has(each));
}

function isSame(one: ReadonlyMap<string, ControlInfo>, other: ReadonlyMap<string, ControlInfo>): boolean {
  if (one.size !== other.size) return false;
  return JSON.stringify([...one.values()]) === JSON.stringify([...other.values()]);
}

export const desk = new Desk();

/**
 * Return a path's control, whose values are watched as long as the component lives.
 * Call it while a component is initialised; `current` follows the path.
 */
export function useControl(path: () => string): { readonly current: Control } {
  const control = $derived(desk.control(path()));
  $effect(() => desk.need(path()));
  return {
    get current() {
      return control;
    },
  };
}

/** Watch several paths as long as the component lives: for canvases, which read values by frame. */
export function usePaths(paths: () => readonly string[]) {
  $effect(() => {
    const ends = paths().map((path) => desk.need(path));
    return () => {
      for (const end of ends) end();
    };
  });
}
