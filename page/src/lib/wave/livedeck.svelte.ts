/** What pictures of a deck share: where it is in this frame, its curves, its grid as it is played now. */

import { channel } from "../connection.svelte";
import { desk, usePaths } from "../desk.svelte";
import { deckTrack } from "../decktracks.svelte";
import { beatTable, lagOf, movedGrid, plainGrid, type BeatReading, type BeatTable } from "./beatlines";
import type { Curves } from "./curves";
import { curveStore } from "./curvestore";
import { referenceBpm, type LoopSpan } from "./geometry";
import type { Grid } from "./grid";
import { Place } from "./place";

const RETRY_MS = 3000; // while the server does not answer
const CAUGHT_UP_MS = 250; // after a hand let go, until messages say where the deck is

const places = new Map<number, Place>();
const hands = new Map<number, { position_s: number; until_ms: number }>();

const number = (path: string) => {
  const value = desk.control(path).value;
  return typeof value === "number" ? value : null;
};

/** Return the loop of a deck, set or on; null where none is set. */
export function loopOf(deck: number): (LoopSpan & { isActive: boolean }) | null {
  const start_s = number(`deck${deck}.loop.start`);
  const end_s = number(`deck${deck}.loop.end`);
  if (start_s === null || end_s === null || end_s <= start_s) return null;
  return { start_s, end_s, isActive: desk.control(`deck${deck}.loop.active`).isOn };
}

/** Return where a deck is in a frame, in seconds of its track. */
export function positionIn(deck: number, now_ms: number): number {
  const hand = hands.get(deck);
  if (hand && now_ms < hand.until_ms) return hand.position_s;
  const anchor = desk.deck(deck).anchor;
  if (anchor && !anchor.playing) {
    // Messages say it more exactly than the last anchor, which a move of 0.03 s does not renew.
    return number(`deck${deck}.position`) ?? anchor.position_s;
  }
  let place = places.get(deck);
  if (!place) places.set(deck, (place = new Place()));
  const loop = loopOf(deck);
  return place.at(now_ms, anchor, channel.clock.serverTime(now_ms / 1000), loop?.isActive ? loop : null);
}

/** Show a deck where a hand holds it. */
export function holdAt(deck: number, position_s: number) {
  hands.set(deck, { position_s, until_ms: Infinity });
}

/** The hand lets go: show what messages say, as soon as they are newer. */
export function letGo(deck: number) {
  const hand = hands.get(deck);
  if (hand) hands.set(deck, { ...hand, until_ms: performance.now() + CAUGHT_UP_MS });
}

const decks = () => {
  const found: number[] = [];
  for (let deck = 1; desk.infos.has(`deck${deck}.play`); deck++) found.push(deck);
  return found;
};
const TEMPO = ["bpm", "rate", "leader", "play", "loaded"];

/** Watch what the place of a deck is made of, and the tempi of all, as long as the component lives. */
export function useLive(deck: () => number) {
  const own = ["position", "beat", "loop.active", "loop.start", "loop.end", "duration", "ready"];
  usePaths(() => own.map((name) => `deck${deck()}.${name}`));
  usePaths(() => decks().flatMap((each) => TEMPO.map((name) => `deck${each}.${name}`)));
}

/** Return the tempo of the picture, which all decks share. */
export function sharedBpm(): number {
  return referenceBpm(
    decks().map((deck) => ({
      bpm: number(`deck${deck}.bpm`),
      isLoaded: desk.control(`deck${deck}.loaded`).isOn,
      isPlaying: desk.control(`deck${deck}.play`).isOn,
      isLeader: desk.control(`deck${deck}.leader`).isOn,
    })),
  );
}

export const rateOf = (deck: number) => number(`deck${deck}.rate`) ?? 1;

/** How the curves of a deck's track are: not asked for, on the way, there, or not made. */
export type CurvesAre = "none" | "reading" | "there" | "missing";

/** Follow the curves of a deck's track as long as the component lives. */
export function useCurves(deck: () => number): { readonly current: Curves | null; readonly are: CurvesAre } {
  let current = $state.raw<Curves | null>(null);
  let are = $state<CurvesAre>("none");
  let shown = 0;
  $effect(() => {
    const track = deckTrack(deck());
    const id = track.info?.id ?? 0;
    const version = track.version; // counts up with each change of the track, new curves among them
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isWanted = true;
    const isOther = id !== shown;
    shown = id;
    if (!id) {
      current = null;
      are = track.info ? "missing" : "none";
      return undefined;
    }
    const there = curveStore.peek(id);
    if (there) [current, are] = [there, "there"];
    else if (isOther) [current, are] = [null, "reading"];
    const read = async () => {
      try {
        const found = await curveStore.get(id, version > 1 && !isOther);
        if (isWanted) [current, are] = [found, found ? "there" : "missing"];
      } catch {
        if (isWanted) timer = setTimeout(() => void read(), RETRY_MS);
      }
    };
    void read();
    return () => {
      isWanted = false;
      clearTimeout(timer);
    };
  });
  return {
    get current() {
      return current;
    },
    get are() {
      return are;
    },
  };
}

/**
 * The grid of a deck as it is played.
 *
 * The library's, moved where the deck says that it beats: a correction is on the deck at once, and in
 * the library a moment later.
 */
export class LiveGrid {
  /** Made anew when the grid changed; compare by identity. */
  beats: BeatTable | null = null;
  grid: Grid | null = null;
  private source: Grid | null = null;
  private duration_s = -1;
  private last: BeatReading | null = null;

  constructor(private readonly deck: () => number) {}

  /** Look at the readings of a frame; return whether the grid changed. */
  follow(): boolean {
    const deck = this.deck();
    const info = deckTrack(deck).info;
    const duration_s = number(`deck${deck}.duration`) ?? info?.duration_s ?? 0;
    const source = info?.grid ?? null;
    if (source !== this.source || duration_s !== this.duration_s) {
      this.source = source;
      this.duration_s = duration_s;
      return this.take(source && duration_s ? source : null);
    }
    const position_s = number(`deck${deck}.position`);
    const beat = number(`deck${deck}.beat`);
    if (position_s === null || beat === null || position_s === this.last?.position_s) return false;
    const [before, now] = [this.last, { position_s, beat }];
    this.last = now;
    const grid = this.grid;
    if (!grid) {
      const bpm = number(`deck${deck}.bpm`);
      return bpm && duration_s ? this.take(plainGrid(position_s, beat, bpm / rateOf(deck))) : false;
    }
    const lag = before ? lagOf(grid, before, now) : 0;
    return lag ? this.take(movedGrid(grid, position_s, beat)) : false;
  }

  private take(grid: Grid | null): boolean {
    if (!grid && !this.grid) return false;
    this.grid = grid;
    this.beats = grid ? beatTable(grid, this.duration_s) : null;
    return true;
  }
}
