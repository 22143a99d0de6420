/** The picture of a whole track: three greys from the ground up, what is past dimmed, marks below. */

import type { Table } from "./curves";
import type { SceneLoop } from "./scene";
import type { Marker, SectionMark } from "./markers";
import { markerColour, type Palette } from "./palette";
import { heightOfPeak, paintBands } from "./paint";

const MARKS_PX = 6; // below, for the triangles of the cues
const PAST = 0.42; // how much of it is left

/**
 * Return heights of a whole track in columns, [band * columns + column]: between the highest and the mean.
 * Each band fills its own height, so that all three are seen of any track.
 */
export function heightsOfTrack(table: Table, columns: number): Float32Array {
  const { numbers, rows, columns: width } = table;
  const found = new Float32Array(3 * columns);
  for (let column = 0; column < columns; column++) {
    const from = Math.floor((column * rows) / columns);
    const to = Math.max(from + 1, Math.floor(((column + 1) * rows) / columns));
    for (let band = 0; band < 3; band++) {
      let highest = 0;
      let sum = 0;
      for (let row = from; row < to && row < rows; row++) {
        const value = numbers[row * width + band + 1] as number;
        sum += value;
        if (value > highest) highest = value;
      }
      found[band * columns + column] = (heightOfPeak(highest) + heightOfPeak(sum / (to - from))) / 2;
    }
  }
  for (let band = 0; band < 3; band++) {
    const own = found.subarray(band * columns, (band + 1) * columns);
    const loud = [...own].sort((a, b) => a - b)[Math.floor(columns * 0.98)] ?? 0;
    if (loud > 0) for (let column = 0; column < columns; column++) own[column] = Math.min(1, (own[column] as number) / loud);
  }
  return found;
}

export interface OverviewState {
  palette: Palette;
  table: Table | null;
  markers: readonly Marker[];
  sections: readonly SectionMark[];
  loop: SceneLoop | null;
  duration_s: number;
}

export class OverviewScene {
  private state: OverviewState | null = null;
  private readonly context: CanvasRenderingContext2D | null;
  private wave: OffscreenCanvas | null = null;
  private waveOf: unknown[] = [];
  private width = 0;
  private height = 0;
  private dpr = 1;
  private isDirty = true;
  private drawnAt = NaN;

  constructor(private readonly canvas: HTMLCanvasElement) {
    this.context = canvas.getContext("2d");
  }

  set(state: OverviewState) {
    this.state = state;
    this.isDirty = true;
  }

  resize(width: number, height: number, dpr: number) {
    [this.width, this.height, this.dpr] = [width, height, dpr];
    this.isDirty = true;
  }

  /** Draw a frame, if it differs from the last one. */
  draw(position_s: number) {
    const { context: g, state, dpr } = this;
    if (!g || !state || !this.width) return;
    const width = Math.round(this.width * dpr);
    const height = Math.round(this.height * dpr);
    const share = state.duration_s ? Math.min(1, Math.max(0, position_s / state.duration_s)) : 0;
    const at = Math.round(share * width);
    if (!this.isDirty && at === this.drawnAt) return;
    this.isDirty = false;
    this.drawnAt = at;
    if (this.canvas.width !== width) this.canvas.width = width;
    if (this.canvas.height !== height) this.canvas.height = height;
    g.clearRect(0, 0, width, height);
    if (!state.duration_s) return;
    const ground = height - Math.round(MARKS_PX * dpr);
    this.drawWave(g, state, width, ground, at);
    const x = (time_s: number) => (time_s / state.duration_s) * width;
    g.fillStyle = state.palette.token["edge"] ?? "#888";
    for (const { start_s } of state.sections) g.fillRect(Math.round(x(start_s)), 0, dpr, 4 * dpr);
    this.drawLoop(g, state, x, height);
    this.drawMarkers(g, state, x, height);
    g.fillStyle = state.palette.token["playhead-edge"] ?? "#000";
    g.fillRect(at - 2.5 * dpr, 0, 5 * dpr, height);
    g.fillStyle = state.palette.token["playhead"] ?? "#fff";
    g.fillRect(at - 1.5 * dpr, 0, 3 * dpr, height);
  }

  private drawWave(g: CanvasRenderingContext2D, state: OverviewState, width: number, ground: number, at: number) {
    const { table, palette } = state;
    if (!table) {
      g.fillStyle = palette.token["s3"] ?? "#333";
      g.fillRect(0, ground - 2 * this.dpr, width, 2 * this.dpr);
      return;
    }
    const of = [table, palette, width, ground];
    if (!this.wave || of.some((each, index) => each !== this.waveOf[index])) {
      const wave = new OffscreenCanvas(width, Math.max(1, ground));
      const context = wave.getContext("2d");
      if (context) {
        const image = context.createImageData(width, wave.height);
        paintBands(image.data, width, wave.height, heightsOfTrack(table, width), palette.overview, {
          origin: "bottom",
        });
        context.putImageData(image, 0, 0);
      }
      this.wave = wave;
      this.waveOf = of;
    }
    if (at < width) g.drawImage(this.wave, at, 0, width - at, ground, at, 0, width - at, ground);
    if (at <= 0) return;
    g.globalAlpha = PAST;
    g.drawImage(this.wave, 0, 0, at, ground, 0, 0, at, ground);
    g.globalAlpha = 1;
  }

  private drawLoop(g: CanvasRenderingContext2D, state: OverviewState, x: (time_s: number) => number, height: number) {
    const loop = state.loop;
    if (!loop) return;
    g.fillStyle = state.palette.token["on"] ?? "#fff";
    g.globalAlpha = loop.isActive ? 0.4 : 0.15;
    g.fillRect(x(loop.start_s), 0, Math.max(4 * this.dpr, x(loop.end_s) - x(loop.start_s)), height);
    g.globalAlpha = 1;
  }

  private drawMarkers(g: CanvasRenderingContext2D, state: OverviewState, x: (time_s: number) => number, height: number) {
    const { dpr } = this;
    for (const { slot, position_s, colour } of state.markers) {
      const at = x(position_s);
      g.fillStyle = markerColour(state.palette, colour);
      if (slot === null) {
        g.fillRect(at - dpr, height - 4 * dpr, 2 * dpr, 4 * dpr);
        continue;
      }
      g.beginPath();
      g.moveTo(at - 5 * dpr, height);
      g.lineTo(at + 5 * dpr, height);
      g.lineTo(at, height - 7 * dpr);
      g.fill();
    }
  }
}
