/** Places in time and on the screen: scale, tiles, loops. Pure. */

import { HEAD } from "./head";

/** Tempo of the picture where no deck has one. */
export const DEFAULT_BPM = 120;
const BEATS_PER_BAR = 4; // of the zoom: one bar is as long on both decks, whatever their metres

/** What is known of a deck's tempo. */
export interface DeckTempo {
  /** As it is heard, with the rate; null without a grid. */
  bpm: number | null;
  isLoaded: boolean;
  isPlaying: boolean;
  isLeader: boolean;
}

/**
 * Return the tempo that the zoom counts bars of: the leader's, else that of the first deck that plays,
 * else of the first that has one. All decks share it, so that what is at one place is heard at one time.
 */
export function referenceBpm(decks: readonly DeckTempo[]): number {
  const known = decks.filter(({ bpm, isLoaded }) => isLoaded && bpm !== null && bpm > 0);
  const chosen = known.find((deck) => deck.isLeader) ?? known.find((deck) => deck.isPlaying) ?? known[0];
  return chosen?.bpm ?? DEFAULT_BPM;
}

/**
 * Return pixels for each second of the track.
 *
 * A second that passes is as wide on all decks; a track that runs faster has more of its own in it.
 */
export function pixelsPerSecond(width_px: number, bars: number, bpm: number, rate: number): number {
  const passing = (width_px * bpm) / (bars * BEATS_PER_BAR * 60);
  return passing / (Math.abs(rate) || 1);
}

/** Return the x of a time, in pixels, with the playhead at a third. */
export function xOf(time_s: number, position_s: number, width_px: number, perSecond: number): number {
  return width_px * HEAD + (time_s - position_s) * perSecond;
}

/** Return the first and the last time in sight. */
export function spanOf(position_s: number, width_px: number, perSecond: number): [number, number] {
  return [position_s - (width_px * HEAD) / perSecond, position_s + (width_px * (1 - HEAD)) / perSecond];
}

/** Return the numbers of the first and the last tile of a picture that begins at `from_px` of the track. */
export function tilesIn(from_px: number, width_px: number, tile_px: number, length_px: number): [number, number] {
  const first = Math.max(0, Math.floor(from_px / tile_px));
  const last = Math.min(Math.ceil(length_px / tile_px) - 1, Math.floor((from_px + width_px - 1) / tile_px));
  return [first, last];
}

export interface LoopSpan {
  start_s: number;
  end_s: number;
}

/**
 * Return where a deck is that was at `from_s` and would be at `to_s` without its loop.
 *
 * What runs over the end of a loop goes on from its start, in each round; backwards the other way round.
 * A deck that is behind the end has left the loop.
 */
export function foldedInLoop(from_s: number, to_s: number, loop: LoopSpan | null): number {
  if (!loop) return to_s;
  const { start_s, end_s } = loop;
  const length = end_s - start_s;
  if (length <= 0) return to_s;
  if (to_s >= end_s && from_s < end_s) return start_s + ((to_s - start_s) % length);
  if (to_s < start_s && from_s >= start_s && from_s <= end_s) return end_s - ((end_s - to_s) % length);
  return to_s;
}

/** Return the height of a lane's picture for a stem's volume in decibels: by its square root, 1 at 0 dB. */
export function heightOf(volume_dB: number | null): number {
  return volume_dB === null || !Number.isFinite(volume_dB) ? 0 : 10 ** (volume_dB / 40);
}
