/**
 * The rows of a list: numbers of all tracks at once, rows when they come into sight.
 *
 * Rows stay where they are while tracks come and go; a changed list is only `isStale`, and the view
 * asks for it again when no finger is on it.
 */

import { channel } from "../connection.svelte";
import type { Entry, Flag, Row, Track } from "./types";
import { quoted, wordsOf } from "./query";

const PAGE = 100; // rows of a request
const AHEAD = 60; // rows beyond those that are drawn
const MAX_REQUESTS = 4;
const RETRY_MS = 700;
const MAX_KEPT = 8000; // rows in memory

/** What a list shows. */
export interface Place {
  /** `all`, `recent`, `failed`, `trash`, `flagged` or `playlist`. */
  kind: string;
  /** Of a playlist. */
  name: string;
  /** Typed words. */
  words: string;
  view: string;
  /** Whether the words are a search in words: ranked by what is meant, with reasons. */
  isMeant: boolean;
}

export interface Item {
  id: number;
  /** Of a playlist's entry. */
  entry?: number;
  /** Of a flag. */
  flag?: Flag;
  /** Why it is a hit of a search in words. */
  reasons?: readonly string[];
}

/** What a search in words said beside its hits. */
export interface Meaning {
  understood: string;
  notes: readonly string[];
}

const NO_THIS = '"this" names no track'; // how backstage refuses it
const NO_MEANING: Meaning = { understood: "", notes: [] };

const keyOf = (place: Place) => JSON.stringify([place.kind, place.name, place.words, place.view, place.isMeant]);

/** What `library.numbers_words` returns. */
interface Hits extends Meaning {
  tracks: number[];
  reasons: string[][];
}

const inList = (place: Place) => (place.kind === "playlist" ? `playlist:${quoted(place.name)} ` : "");

export class TrackList {
  items = $state.raw<readonly Item[]>([]);
  /** Changes whenever a row has come or changed. */
  version = $state(0);
  phase = $state<"loading" | "ready" | "error">("loading");
  error = $state.raw<unknown>(null);
  isStale = $state(false);
  /** What a search in words understood, and what it did not do. */
  meaning = $state.raw<Meaning>(NO_MEANING);
  /** The bundle on the deck that leads; empty for none. */
  onDeck: () => string = () => "";
  /** Scroll of the list, in px: kept while other views are open. */
  scroll = 0;

  private place = $state.raw<Place | null>(null);
  private readonly rows = new Map<number, Row>();
  private readonly asked = new Set<number>();
  private readonly gone = new Set<number>();
  private queue: number[][] = [];
  private running = 0;
  private wanted: [number, number] = [0, 0];
  private generation = 0;

  get count(): number {
    return this.items.length;
  }

  get key(): string {
    return this.place ? keyOf(this.place) : "";
  }

  /** Whether rows can be dragged into another order. */
  get isOrdered(): boolean {
    return this.place?.kind === "playlist" && !this.place.words.trim();
  }

  row(index: number): Row | undefined {
    const item = this.items[index];
    return item && this.rows.get(item.id);
  }

  rowOf(id: number): Row | undefined {
    return this.rows.get(id);
  }

  indexOf(id: number): number {
    return this.items.findIndex((item) => item.id === id);
  }

  /** Show a place; the same again does nothing, unless `force`. */
  async show(place: Place, force = false) {
    if (!force && this.place && keyOf(place) === keyOf(this.place) && this.phase !== "error") return;
    const isOther = !this.place || keyOf(place) !== keyOf(this.place);
    this.place = place;
    const generation = ++this.generation;
    if (isOther) this.phase = "loading";
    this.isStale = false; // what changes from now on may be missing in the answer
    try {
      const { items, meaning } = await this.fetchItems(place);
      if (generation !== this.generation) return;
      [this.items, this.meaning] = [items, meaning];
      this.error = null;
      this.phase = "ready";
      this.version++;
      if (isOther) this.wanted = [0, 24];
      this.need(...this.wanted);
    } catch (error) {
      if (generation !== this.generation) return;
      [this.error, this.meaning] = [error, NO_MEANING];
      this.isStale = false; // it is asked for again by hand, or when the connection is back
      this.phase = "error";
    }
  }

  /** Ask for the list again. */
  async refresh() {
    if (this.place) await this.show(this.place, true);
  }

  private async fetchItems(place: Place): Promise<{ items: Item[]; meaning: Meaning }> {
    const isTyped = !!place.words.trim();
    if (place.isMeant && isTyped && !["trash", "flagged"].includes(place.kind)) return this.fetchHits(place);
    return { items: await this.fetchPlain(place, isTyped), meaning: NO_MEANING };
  }

  private async fetchPlain(place: Place, isTyped: boolean): Promise<Item[]> {
    if (place.kind === "trash") return this.fetchTrash();
    if (place.kind === "flagged") return this.fetchFlags();
    if (place.kind === "playlist" && !isTyped) return this.fetchEntries(place.name);
    const words = inList(place) + wordsOf(place.kind, place.words);
    const found = await channel.call<{ tracks: number[] }>("library.numbers", { words, view: place.view });
    return found.tracks.map((id) => ({ id }));
  }

  private async fetchHits(place: Place): Promise<{ items: Item[]; meaning: Meaning }> {
    const words = inList(place) + wordsOf(place.kind, place.words, true);
    const { tracks, reasons, understood, notes } = await this.ask({ words, view: place.view });
    const items = tracks.map((id, at) => ({ id, ...(reasons[at]?.length && { reasons: reasons[at] }) }));
    return { items, meaning: { understood, notes } };
  }

  /** Ask for hits; "this" is the track of the deck that leads. */
  private async ask(params: Record<string, unknown>): Promise<Hits> {
    try {
      return await channel.call<Hits>("library.numbers_words", params);
    } catch (failure) {
      const bundle = this.onDeck();
      const isThis = failure instanceof Error && failure.message.startsWith(NO_THIS);
      if (!isThis || !bundle) throw failure;
      const { track } = await channel.call<{ track: number }>("library.hotcues", { bundle });
      return channel.call<Hits>("library.numbers_words", { ...params, this: track });
    }
  }

  private keep(row: Row | Track) {
    this.rows.set(row.id, { ...row, has_cover: "has_cover" in row ? row.has_cover : row.cover !== null } as Row);
  }

  private async fetchTrash(): Promise<Item[]> {
    const items: Item[] = [];
    for (;;) {
      const page = await channel.call<{ count: number; tracks: Track[] }>("library.trash", { offset: items.length });
      for (const track of page.tracks) {
        this.keep(track);
        items.push({ id: track.id });
      }
      if (!page.tracks.length || items.length >= page.count) return items;
    }
  }

  private async fetchEntries(name: string): Promise<Item[]> {
    const items: Item[] = [];
    for (;;) {
      const page = await channel.call<{ tracks: number; entries: Entry[] }>("library.playlist", {
        name,
        offset: items.length,
      });
      for (const entry of page.entries) {
        this.keep(entry);
        items.push({ id: entry.id, entry: entry.entry });
      }
      if (!page.entries.length || items.length >= page.tracks) return items;
    }
  }

  private async fetchFlags(): Promise<Item[]> {
    const items: Item[] = [];
    for (;;) {
      const page = await channel.call<{ count: number; flags: (Flag & { track: number })[] }>("library.flags", {
        offset: items.length,
      });
      for (const flag of page.flags) items.push({ id: flag.track, flag });
      if (!page.flags.length || items.length >= page.count) return items;
    }
  }

  /** Rows that are drawn now: load them, and some around them. */
  need(first: number, end: number) {
    this.wanted = [first, end];
    if (this.place?.kind === "trash") return;
    const from = Math.max(0, first - AHEAD);
    const to = Math.min(this.items.length, end + AHEAD);
    const seen: number[] = [];
    const around: number[] = [];
    for (let index = from; index < to; index++) {
      const id = this.items[index]?.id;
      if (id === undefined || this.rows.has(id) || this.asked.has(id) || this.gone.has(id)) continue;
      (index >= first && index < end ? seen : around).push(id);
    }
    // What waits for rows that were passed by is dropped.
    for (const page of this.queue) for (const id of page) this.asked.delete(id);
    this.queue = [];
    const missing = [...seen, ...around];
    for (let at = 0; at < missing.length; at += PAGE) this.queue.push(missing.slice(at, at + PAGE));
    for (const id of missing) this.asked.add(id);
    this.pump();
  }

  private pump() {
    while (this.running < MAX_REQUESTS && this.queue.length) {
      const page = this.queue.shift();
      if (page) void this.fetchRows(page);
    }
  }

  private async fetchRows(ids: number[]) {
    this.running++;
    try {
      const { tracks } = await channel.call<{ tracks: Row[] }>("library.rows", { tracks: ids });
      const found = new Set(tracks.map((row) => row.id));
      for (const row of tracks) this.rows.set(row.id, row);
      for (const id of ids) if (!found.has(id) && tracks.length) this.gone.add(id);
      this.forget();
      this.version++;
    } catch {
      // refused for now, or offline: asked for again as long as they are seen
      setTimeout(() => {
        if (channel.isOpen) this.need(...this.wanted);
      }, RETRY_MS);
    } finally {
      for (const id of ids) this.asked.delete(id);
      this.running--;
      this.pump();
    }
  }

  private forget() {
    if (this.rows.size <= MAX_KEPT) return;
    const near = new Set(this.items.slice(Math.max(0, this.wanted[0] - 500), this.wanted[1] + 500).map(({ id }) => id));
    for (const id of this.rows.keys()) {
      if (this.rows.size <= MAX_KEPT / 2) break;
      if (!near.has(id)) this.rows.delete(id);
    }
  }

  /** A track has changed: ask for its row again, where it is. */
  touch(id: number) {
    this.gone.delete(id);
    if (this.rows.has(id) && this.place?.kind !== "trash") void this.fetchRows([id]);
  }

  /** Change a row at once, before the server says so. */
  patch(id: number, values: Partial<Row>) {
    const row = this.rows.get(id);
    if (!row) return;
    this.rows.set(id, { ...row, ...values });
    this.version++;
  }

  /** Take rows out at once; the others close up. */
  drop(isGone: (item: Item) => boolean) {
    this.items = this.items.filter((item) => !isGone(item));
    this.version++;
  }

  /** Put a row to another place at once. */
  move(from: number, to: number) {
    const items = [...this.items];
    const [item] = items.splice(from, 1);
    if (item) items.splice(to, 0, item);
    this.items = items;
    this.version++;
  }

  /** The connection is back: nothing that was asked before comes any more. */
  reset() {
    this.asked.clear();
    this.queue = [];
    this.running = 0;
    void this.refresh();
  }
}

export const list = new TrackList();
