/**
 * What the library has of the track on a deck: sections, cues, grid, cover, stems.
 *
 * `deckN.track` is its number; the topic `tracks` says when something of it changes. Of a track that
 * the library does not have, the stage lists cues and sections, and `status` the stems.
 */

import { untrack } from "svelte";
import { channel } from "./connection.svelte";
import type { TopicEvent } from "./channel";
import { isStem, STEMS, type Stem } from "./controls";
import { desk } from "./desk.svelte";

const RETRY_MS = 1500; // while backstage is down

export interface TrackCue {
  position_s: number;
  end_s: number | null;
  kind: string;
  label: string;
  color: string;
  stem: string | null;
  /** Number of the hot cue; null for a memory cue. */
  slot: number | null;
}

export interface TrackSection {
  start_s: number;
  label: string;
}

export interface TrackGrid {
  /** Frames a second of the anchors. */
  rate: number;
  bpm: number;
  beats_per_bar: number;
  first_downbeat_s: number | null;
  /** Frame and beat each. */
  anchors: readonly (readonly [number, number])[];
}

export interface TrackInfo {
  /** 0 for a track that the library does not have. */
  id: number;
  title: string;
  artist: string;
  duration_s: number;
  bpm: number | null;
  key: string | null;
  stems: readonly Stem[];
  cues: readonly TrackCue[];
  sections: readonly TrackSection[];
  grid: TrackGrid | null;
  beatsPerBar: number;
  /** Address of the cover; null without one. */
  cover: string | null;
}

interface Shown {
  id: number;
  title: string;
  artist: string;
  duration_s: number;
  bpm: number | null;
  key: string | null;
  stems: string[];
  cues: TrackCue[];
  sections?: TrackSection[];
  grid: TrackGrid | null;
  cover_path: string | null;
}

/** An answer of `deck.cues`. */
interface Place {
  position_s: number;
  end_s: number | null;
  name: string;
  what: string;
  hot_cue: number | null;
}

/** A deck of `status`. */
interface DeckStatus {
  title?: string;
  artist?: string;
  duration_s?: number;
  bpm?: number | null;
  key?: string;
  stems?: string[];
}

/** The track of one deck. */
export class DeckTrack {
  info = $state.raw<TrackInfo | null>(null);
  /** Counts up whenever `info` was read again. */
  version = $state(0);

  private request = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly deck: number) {}

  /** The stems that the track has; the usual four without one. */
  get stems(): readonly Stem[] {
    const stems = this.info?.stems ?? [];
    return stems.length ? stems : STEMS.slice(0, 4);
  }

  /** Read what there is of a track; 0 of one that the library does not have. */
  async read(track: number, isLoaded: boolean) {
    const request = ++this.request;
    clearTimeout(this.timer);
    if (this.info && (!isLoaded || this.info.id !== track)) this.info = null; // no cues of another track
    if (!isLoaded || !channel.isOpen) return;
    try {
      const info = track ? await readLibrary(track) : await this.readStage();
      if (request !== this.request) return;
      this.info = info;
      this.version++;
    } catch {
      if (request === this.request) this.timer = setTimeout(() => void this.read(track, isLoaded), RETRY_MS);
    }
  }

  private async readStage(): Promise<TrackInfo> {
    const [status, { places }] = await Promise.all([
      channel.call<{ decks: DeckStatus[] }>("status"),
      channel.call<{ places: Place[] }>("deck.cues", { deck: this.deck }),
    ]);
    const deck = status.decks[this.deck - 1] ?? {};
    const isSection = (place: Place) => place.what === "section";
    return {
      id: 0,
      title: deck.title ?? "",
      artist: deck.artist ?? "",
      duration_s: deck.duration_s ?? 0,
      bpm: deck.bpm ?? null,
      key: deck.key ?? null,
      stems: stemsOf(deck.stems ?? []),
      cues: places
        .filter((place) => !isSection(place))
        .map(({ position_s, end_s, name, hot_cue }) => ({
          position_s,
          end_s,
          kind: "cue",
          label: name,
          color: "",
          stem: null,
          slot: hot_cue,
        })),
      sections: places.filter(isSection).map(({ position_s, name }) => ({ start_s: position_s, label: name })),
      grid: null,
      beatsPerBar: 4,
      cover: null,
    };
  }
}

function stemsOf(names: readonly string[]): Stem[] {
  return STEMS.filter((stem) => isStem(stem) && names.includes(stem));
}

async function readLibrary(track: number): Promise<TrackInfo> {
  const shown = await channel.call<Shown>("library.show", { track: `#${track}` });
  return {
    id: shown.id,
    title: shown.title,
    artist: shown.artist,
    duration_s: shown.duration_s,
    bpm: shown.bpm,
    key: shown.key,
    stems: shown.stems.length ? stemsOf(shown.stems) : ["mix"],
    cues: shown.cues,
    sections: shown.sections ?? [],
    grid: shown.grid,
    beatsPerBar: shown.grid?.beats_per_bar ?? 4,
    cover: shown.cover_path ? `/files/${shown.id}/cover` : null,
  };
}

const tracks = new Map([1, 2, 3, 4].map((deck) => [deck, new DeckTrack(deck)]));

/** Return the track of a deck, by its number from 1. */
export function deckTrack(deck: number): DeckTrack {
  let found = tracks.get(deck);
  if (!found) tracks.set(deck, (found = new DeckTrack(deck)));
  return found;
}

/** Keep the tracks of decks up to date as long as the component lives. */
export function useDeckTracks(decks: () => readonly number[]) {
  $effect(() => {
    const ends = decks().flatMap((deck) => ["track", "title", "loaded"].map((name) => desk.need(`deck${deck}.${name}`)));
    const leave = channel.join("tracks", onTrack);
    return () => {
      leave();
      for (const end of ends) end();
    };
  });
  for (const deck of [1, 2, 3, 4]) {
    $effect(() => {
      if (!decks().includes(deck) || !desk.isLive) return;
      void desk.control(`deck${deck}.title`).value; // one that the library does not have is read again by its title
      const isLoaded = desk.control(`deck${deck}.loaded`).isOn;
      const track = desk.control(`deck${deck}.track`).number;
      // Reading looks at `info` and then sets it: followed, it would read for ever, 7 times a second.
      untrack(() => void deckTrack(deck).read(track, isLoaded));
    });
  }
}

function onTrack({ event, data }: TopicEvent) {
  if (!event.startsWith("track:")) return;
  const { track } = data as { track: number };
  for (const each of tracks.values()) if (each.info?.id === track) void each.read(track, true);
}
