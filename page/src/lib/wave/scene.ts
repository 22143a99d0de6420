/**
 * The picture of a deck's lanes, drawn anew in each frame that differs.
 *
 * Waveforms are tiles, texts and flags are sprites: a frame moves them with `drawImage` and draws lines.
 *
 *   backdrop ─ lanes (tiles) ─ what is not in memory ─ loop ─ beats and bars ─ ruler ─ cues ─ playhead
 */

import { barOf, barStep, firstAt, isDownbeat, type BeatTable } from "./beatlines";
import { inkOn, rgbOf, type Rgb } from "./colours";
import type { Table } from "./curves";
import { tilesIn } from "./geometry";
import { HEAD } from "./head";
import type { Marker, SectionMark } from "./markers";
import { markerColour, type Palette } from "./palette";
import { flagSprite, HEAD_PX, headSprite, pointSprite, textSprite, type Sprite } from "./sprites";
import { TILE_PX, tileStore } from "./tiles";

export const RULER_PX = 18;
const LEAST_BEAT_PX = 7; // closer lines of beats are a grey area
const LEAST_NUMBER_PX = 44; // from one bar's number to the next
const SETTLE_MS = 250; // after a change of tempo, tiles are painted anew; until then they are stretched
const STRETCH = 1.25; // more is not waited for
const MAX_HEIGHT = 1.0; // of a lane

export interface Lane {
  name: string;
  /** Its peaks; null while they are not known. */
  table: Table | null;
  shades: readonly [Rgb, Rgb, Rgb];
  /** By how much its peaks are magnified. */
  gain: number;
  /** Height of its picture, 1 at 0 dB. */
  height: number;
  /** A loop of this stem alone. */
  loop: { start_s: number; end_s: number; text: string } | null;
}

export interface SceneLoop {
  start_s: number;
  end_s: number;
  isActive: boolean;
  text: string;
}

export interface SceneState {
  /** Key of its tiles, one for each deck. */
  key: string;
  palette: Palette;
  lanes: readonly Lane[];
  /** All lanes in one place. */
  isOverlaid: boolean;
  laneHeight: number;
  beats: BeatTable | null;
  markers: readonly Marker[];
  sections: readonly SectionMark[];
  loop: SceneLoop | null;
  duration_s: number;
  /** How much is in memory, 0 to 1. */
  ready: number;
}

type Context = CanvasRenderingContext2D;

export class Scene {
  private state: SceneState | null = null;
  private readonly context: Context | null;
  private backdrop: ImageBitmap | null = null;
  private width = 0; // CSS pixels
  private dpr = 1;
  private isDirty = true;
  private drawnAt = NaN;
  private drawnPerSecond = NaN;
  private tilePerSecond = NaN; // device pixels for each second of the track, as the tiles have it
  private settled_ms = 0;
  private lastPerSecond = NaN;

  constructor(private readonly canvas: HTMLCanvasElement) {
    this.context = canvas.getContext("2d", { alpha: false });
  }

  /** Take a new state; the next frame shows it. */
  set(state: SceneState) {
    this.state = state;
    this.backdrop = null;
    this.isDirty = true;
  }

  resize(width: number, dpr: number) {
    this.width = width;
    this.dpr = dpr;
    this.backdrop = null;
    this.isDirty = true;
  }

  redraw() {
    this.isDirty = true;
  }

  private get height(): number {
    const state = this.state;
    return state ? RULER_PX + state.laneHeight * (state.isOverlaid ? 1 : state.lanes.length) : 0;
  }

  /** Draw a frame: a position in the track, CSS pixels for each of its seconds. */
  draw(now_ms: number, position_s: number, cssPerSecond: number) {
    const { context: g, state, dpr } = this;
    if (!g || !state || !this.width) return;
    const perSecond = cssPerSecond * dpr;
    const head = Math.round(this.width * HEAD * dpr);
    const origin = Math.round(position_s * perSecond); // whole pixels: tiles and lines keep their edges
    this.settle(now_ms, perSecond);
    const isStretched = Math.abs(this.tilePerSecond / perSecond - 1) > 1e-5;
    if (!this.isDirty && origin === this.drawnAt && perSecond === this.drawnPerSecond && !isStretched) {
      this.prepare(state, origin - head);
      return;
    }
    this.isDirty = false;
    this.drawnAt = origin;
    this.drawnPerSecond = perSecond;
    this.fit();
    const x = (time_s: number) => head + Math.round(time_s * perSecond) - origin;
    g.drawImage(this.ground(state), 0, 0);
    if (state.duration_s > 0) {
      this.drawLanes(g, state, head - origin, perSecond);
      this.drawEnds(g, state, x);
      this.drawStemLoops(g, state, x);
      this.drawLoop(g, state, x);
      this.drawBeats(g, state, x, position_s, perSecond);
      this.drawMarkers(g, state, x);
    }
    const playhead = headSprite(
      state.palette.token["playhead"] ?? "#fff",
      state.palette.token["playhead-edge"] ?? "#000",
      dpr,
      this.height,
    );
    g.drawImage(playhead.picture, head - Math.round((HEAD_PX / 2) * dpr), 0);
    if (!isStretched) this.prepare(state, origin - head);
  }

  // ------------------------------------------------------------------ size and scale

  private fit() {
    const width = Math.round(this.width * this.dpr);
    const height = Math.round(this.height * this.dpr);
    if (this.canvas.width !== width) this.canvas.width = width;
    if (this.canvas.height !== height) this.canvas.height = height;
  }

  /** Decide for which scale tiles are painted: the present one, as soon as it does not change any more. */
  private settle(now_ms: number, perSecond: number) {
    if (Math.abs(perSecond / this.lastPerSecond - 1) > 1e-5 || Number.isNaN(this.lastPerSecond)) {
      this.lastPerSecond = perSecond;
      this.settled_ms = now_ms;
    }
    const ratio = perSecond / this.tilePerSecond;
    const isFar = !(ratio < STRETCH && ratio > 1 / STRETCH);
    const isStill = now_ms - this.settled_ms >= SETTLE_MS;
    if (isFar || (isStill && Math.abs(ratio - 1) > 1e-5)) this.tilePerSecond = perSecond;
  }

  private laneTop(index: number): number {
    const state = this.state;
    return Math.round((RULER_PX + (state?.isOverlaid ? 0 : index) * (state?.laneHeight ?? 0)) * this.dpr);
  }

  /** Return what does not move: the grounds of ruler and lanes. */
  private ground(state: SceneState): ImageBitmap {
    if (this.backdrop) return this.backdrop;
    const width = Math.round(this.width * this.dpr);
    const height = Math.round(this.height * this.dpr);
    const canvas = new OffscreenCanvas(Math.max(1, width), Math.max(1, height));
    const g = canvas.getContext("2d");
    if (g) {
      const { token, stripe } = state.palette;
      g.fillStyle = token["s1"] ?? "#000";
      g.fillRect(0, 0, width, height);
      g.fillStyle = token["s2"] ?? "#000";
      g.fillRect(0, 0, width, Math.round(RULER_PX * this.dpr));
      const count = state.isOverlaid ? 1 : state.lanes.length;
      for (let index = 0; index < count; index++) {
        const top = this.laneTop(index);
        g.fillStyle = stripe;
        if (index % 2 === 0) g.fillRect(0, top, width, this.laneTop(index + 1) - top || height - top);
        g.fillStyle = token["line"] ?? "#000";
        g.fillRect(0, top, width, Math.max(1, Math.round(this.dpr / 2)));
      }
    }
    this.backdrop = canvas.transferToImageBitmap();
    return this.backdrop;
  }

  // ------------------------------------------------------------------ waveforms

  private look(state: SceneState, lane: Lane) {
    return {
      table: lane.table as Table,
      shades: lane.shades,
      gain: lane.gain,
      perSecond: this.tilePerSecond,
      width: TILE_PX * this.dpr,
      height: Math.round(state.laneHeight * this.dpr) - 1,
    };
  }

  private drawLanes(g: Context, state: SceneState, shift: number, perSecond: number) {
    const scale = perSecond / this.tilePerSecond;
    const tile_px = TILE_PX * this.dpr;
    const width = Math.round(this.width * this.dpr);
    const [first, last] = tilesIn(-shift / scale, width / scale, tile_px, state.duration_s * this.tilePerSecond);
    state.lanes.forEach((lane, index) => {
      if (!lane.table || lane.height <= 0) return;
      const look = this.look(state, lane);
      const top = this.laneTop(index) + 1;
      const height = Math.min(MAX_HEIGHT, lane.height) * look.height;
      const y = top + (look.height - height) / 2;
      for (let number = first; number <= last; number++) {
        const tile = tileStore.get(`${state.key} ${lane.name}`, number, look);
        const left = Math.round(number * tile_px * scale) + shift;
        const right = Math.round((number + 1) * tile_px * scale) + shift;
        if (height === look.height && right - left === tile_px) g.drawImage(tile, left, top);
        else g.drawImage(tile, left, y, right - left, height);
      }
    });
  }

  /** Paint one tile ahead, so that no frame has to paint those of all lanes. */
  private prepare(state: SceneState, from_px: number) {
    const tile_px = TILE_PX * this.dpr;
    const next = Math.floor((from_px + this.width * this.dpr) / tile_px) + 1;
    if (next < 0 || next * tile_px >= state.duration_s * this.tilePerSecond) return;
    for (const lane of state.lanes) {
      if (!lane.table) continue;
      const look = this.look(state, lane);
      if (tileStore.has(`${state.key} ${lane.name}`, next, look)) continue;
      tileStore.get(`${state.key} ${lane.name}`, next, look);
      return;
    }
  }

  /** Shade what is before and behind the track, and what is not in memory. */
  private drawEnds(g: Context, state: SceneState, x: (time_s: number) => number) {
    const { bg, s1, edge } = state.palette.token;
    const top = this.laneTop(0);
    const { width, height } = this.canvas;
    const begin = x(0);
    const end = x(state.duration_s);
    g.fillStyle = bg ?? "#000";
    if (begin > 0) g.fillRect(0, top, begin, height - top);
    if (end < width) g.fillRect(end, top, width - end, height - top);
    g.fillStyle = edge ?? "#888";
    if (begin >= 0) g.fillRect(begin - 1, top, 1, height - top);
    if (end < width) g.fillRect(end, top, 1, height - top);
    if (state.ready >= 1) return;
    const known = Math.max(0, x(state.duration_s * state.ready));
    if (known >= width) return;
    g.globalAlpha = 0.6;
    g.fillStyle = s1 ?? "#000";
    g.fillRect(known, top, Math.min(width, end) - known, height - top);
    g.globalAlpha = 1;
  }

  // ------------------------------------------------------------------ loops

  private drawLoop(g: Context, state: SceneState, x: (time_s: number) => number) {
    const loop = state.loop;
    if (!loop) return;
    const { dpr } = this;
    const left = x(loop.start_s);
    const right = x(loop.end_s);
    const { width, height } = this.canvas;
    if (right < 0 || left > width) return;
    const { token } = state.palette;
    const line = Math.round(2 * dpr);
    const ruler = Math.round((RULER_PX - 2) * dpr);
    if (!loop.isActive) {
      g.fillStyle = token["edge"] ?? "#888";
      g.fillRect(left, ruler, right - left, line);
      g.fillRect(left, Math.round(8 * dpr), line, ruler - Math.round(6 * dpr));
      g.fillRect(right - line, Math.round(8 * dpr), line, ruler - Math.round(6 * dpr));
      return;
    }
    const on = token["on"] ?? "#fff";
    g.fillStyle = token["loop"] ?? "#888";
    g.fillRect(left, ruler, right - left, height - ruler);
    g.fillStyle = on;
    g.fillRect(left, 0, line, height);
    g.fillRect(right - line, 0, line, height);
    g.fillRect(left, 0, right - left, ruler);
    const text = textSprite(loop.text, inkOn(rgbOf(on)), dpr, RULER_PX - 1);
    const room = right - left - 12 * dpr;
    if (text.picture.width <= room) g.drawImage(text.picture, Math.min(right, width) - text.picture.width - Math.round(6 * dpr), 0);
  }

  private drawStemLoops(g: Context, state: SceneState, x: (time_s: number) => number) {
    state.lanes.forEach((lane, index) => {
      if (!lane.loop) return;
      const { dpr } = this;
      const [left, right] = [x(lane.loop.start_s), x(lane.loop.end_s)];
      const top = this.laneTop(index) + 1;
      const height = Math.round(state.laneHeight * dpr) - 1;
      const line = Math.round(2 * dpr);
      g.fillStyle = state.palette.token["loop"] ?? "#888";
      g.fillRect(left, top, right - left, height);
      g.fillStyle = state.palette.token["on"] ?? "#fff";
      const hook = Math.round(6 * dpr);
      for (const [at, by] of [[left, 0], [right - line, hook - line]] as const) {
        g.fillRect(at, top, line, height);
        g.fillRect(at - by, top, hook, line);
        g.fillRect(at - by, top + height - line, hook, line);
      }
    });
  }

  // ------------------------------------------------------------------ grid and marks

  private drawBeats(g: Context, state: SceneState, x: (time_s: number) => number, position_s: number, perSecond: number) {
    const { beats, palette } = state;
    const { dpr } = this;
    const { width, height } = this.canvas;
    const ruler = Math.round(RULER_PX * dpr);
    const line = Math.max(1, Math.round(dpr / 2));
    const before = (width * HEAD) / perSecond + 8;
    const from_s = position_s - before;
    const to_s = position_s + (width * (1 - HEAD)) / perSecond;
    const [loopLeft, loopRight] = state.loop?.isActive ? [x(state.loop.start_s), x(state.loop.end_s)] : [0, 0];
    const isInLoop = (at: number) => loopRight > loopLeft && at >= loopLeft - 1 && at < loopRight;
    const labelled: { at: number; text: string; section: string }[] = [];
    const sections = state.sections.filter((each) => each.start_s >= from_s && each.start_s <= to_s);
    const taken = new Set<SectionMark>();
    if (beats && beats.times_s.length) {
      const { times_s, numbers, beatsPerBar } = beats;
      const first = firstAt(times_s, from_s);
      const beat_px = ((times_s[1] ?? 1) - (times_s[0] ?? 0)) * perSecond;
      const hasBeats = beat_px >= LEAST_BEAT_PX * dpr;
      const step = barStep(beat_px * beatsPerBar, LEAST_NUMBER_PX * dpr);
      g.fillStyle = palette.token["beat"] ?? "#888";
      const bars: number[] = [];
      for (let index = first; index < times_s.length; index++) {
        const time_s = times_s[index] as number;
        if (time_s > to_s) break;
        const number = numbers[index] as number;
        const at = x(time_s);
        if (!isDownbeat(number, beatsPerBar)) {
          if (hasBeats && at >= 0) g.fillRect(at, ruler, line, height - ruler);
          continue;
        }
        bars.push(at);
        const section = sections.find((each) => Math.abs(each.start_s - time_s) < 0.04);
        if (section) taken.add(section);
        const bar = barOf(number, beatsPerBar);
        const isNumbered = (((bar - 1) % step) + step) % step === 0;
        if (section || isNumbered) labelled.push({ at, text: String(bar), section: section?.label ?? "" });
      }
      g.fillStyle = palette.token["bar"] ?? "#888";
      for (const at of bars) {
        const top = isInLoop(at) ? ruler : Math.round(4 * dpr);
        g.fillRect(at, top, line, height - top);
      }
    }
    for (const each of sections) {
      if (!taken.has(each)) labelled.push({ at: x(each.start_s), text: "", section: each.label });
    }
    const { ink2, ink3 } = palette.token;
    let free = -Infinity; // a number that a section's name reaches over is left out
    for (const { at, text, section } of labelled.sort((a, b) => a.at - b.at)) {
      if (isInLoop(at) || (at < free && !section)) continue;
      const sprite: Sprite = textSprite(text, ink3 ?? "#888", dpr, RULER_PX, section, ink2 ?? "#888");
      const left = at + Math.round(5 * dpr);
      g.drawImage(sprite.picture, left, 0);
      free = left + sprite.picture.width;
    }
  }

  private drawMarkers(g: Context, state: SceneState, x: (time_s: number) => number) {
    const { dpr } = this;
    const { width, height } = this.canvas;
    const ruler = Math.round(RULER_PX * dpr);
    for (const marker of state.markers) {
      const at = x(marker.position_s);
      if (at > width || at < -200 * dpr) continue;
      const colour = markerColour(state.palette, marker.colour);
      g.fillStyle = colour;
      if (marker.slot === null) {
        g.globalAlpha = 0.5;
        g.fillRect(at, ruler, Math.max(1, Math.round(dpr)), height - ruler);
        g.globalAlpha = 1;
        const point = pointSprite(colour, dpr, 9);
        g.drawImage(point.picture, at - Math.round(4.5 * dpr), Math.round(9 * dpr));
        continue;
      }
      g.fillRect(at, 0, Math.round(2 * dpr), height);
      const flag = flagSprite(String(marker.slot), marker.label, colour, dpr, RULER_PX);
      g.drawImage(flag.picture, at, 0);
    }
  }
}
