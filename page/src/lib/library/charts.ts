/** The figures of an analysis as numbers: what the seven charts draw, say and list. Pure. */

import { columnOf, secondsOf, type Curves, type Table } from "../wave/curves";
import { beatsIn, type Grid } from "../wave/grid";
import type { Section } from "./types";

export const PITCHES = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"] as const;

const SOUNDING = 26; // of 255, by the square root: -40 dB
const STRIDE = 5; // rows of peaks that are looked at: 30 a second
const NEAR_MS = 50; // an attack so far from a beat is another note
const STEADY_MS = 10;
const ALIKE = 0.75; // cosine between two sections from which on they are alike
const LONG_S = 4; // what the highest and lowest energy are the mean of

const mean = (values: ArrayLike<number>) => {
  let sum = 0;
  for (let k = 0; k < values.length; k++) sum += values[k] ?? 0;
  return values.length ? sum / values.length : 0;
};

/** Return the share of a track in which a stem sounds; null without its peaks. */
export function soundingShare(curves: Curves | null, stem: string): number | null {
  const table = curves?.tables.get(`peaks/${stem}`);
  if (!table || !table.rows) return null;
  let sounding = 0;
  let seen = 0;
  for (let row = 0; row + STRIDE <= table.rows; row += STRIDE) {
    let highest = 0;
    for (let k = row; k < row + STRIDE; k++) highest = Math.max(highest, table.numbers[k * table.columns] ?? 0);
    seen++;
    if (highest >= SOUNDING) sounding++;
  }
  return seen ? sounding / seen : null;
}

/** Return the attacks that beats are compared with, in seconds: those of the drums if there are any. */
export function attacksOf(curves: Curves): Float64Array {
  for (const name of ["onsets/drums", "onsets/mix", "splices"]) {
    const table = curves.tables.get(name);
    if (table && table.rows > 8) return secondsOf(table);
  }
  return new Float64Array();
}

export interface Deviation {
  time_s: number;
  bar: number;
  beat: number;
  /** Of the nearest attack, positive: it comes after the beat; null: there is none near. */
  ms: number | null;
}

/** Return for each beat how far the nearest attack lies from it. */
export function deviations(grid: Grid, attacks_s: Float64Array, duration_s: number): Deviation[] {
  let next = 0;
  return beatsIn(grid, 0, duration_s).map(({ time_s, number }) => {
    while (next < attacks_s.length && (attacks_s[next] ?? 0) < time_s) next++;
    const candidates = [attacks_s[next - 1], attacks_s[next]].filter((each) => each !== undefined);
    let nearest: number | null = null;
    for (const each of candidates) {
      const ms = (each - time_s) * 1000;
      if (Math.abs(ms) <= NEAR_MS && (nearest === null || Math.abs(ms) < Math.abs(nearest))) nearest = ms;
    }
    const bar = Math.floor(number / grid.beats_per_bar);
    return { time_s, bar: bar + 1, beat: number - bar * grid.beats_per_bar + 1, ms: nearest };
  });
}

/** Return the median of the absolute deviations, and the share of beats that have an attack. */
export function spread(found: readonly Deviation[]): { median_ms: number | null; share: number } {
  const near = found.flatMap(({ ms }) => (ms === null ? [] : [Math.abs(ms)])).sort((a, b) => a - b);
  return {
    median_ms: near.length ? (near[Math.floor(near.length / 2)] ?? 0) : null,
    share: found.length ? near.length / found.length : 0,
  };
}

export interface Bars {
  bar: number;
  time_s: number;
  ms: number | null;
}

/** Return the mean deviation of each bar. */
export function byBar(found: readonly Deviation[]): Bars[] {
  const bars = new Map<number, Deviation[]>();
  for (const each of found) bars.set(each.bar, [...(bars.get(each.bar) ?? []), each]);
  return [...bars].map(([bar, beats]) => {
    const near = beats.flatMap(({ ms }) => (ms === null ? [] : [ms]));
    return { bar, time_s: beats[0]?.time_s ?? 0, ms: near.length ? mean(near) : null };
  });
}

export const AXES = ["energy", "dance", "bright", "voice", "dense", "calm"] as const;
export type Axis = (typeof AXES)[number];

/** Return the character of a track, each axis 0 to 1. */
export function characterOf(curves: Curves, grid: Grid | null, duration_s: number): Record<Axis, number> {
  const clip = (value: number) => Math.min(1, Math.max(0, value));
  const column = (name: string) => {
    const table = curves.tables.get(name);
    return table ? columnOf(table) : new Float32Array();
  };
  const energy = column("energy");
  const highest = energy.reduce((most, value) => Math.max(most, value), 0);
  const attacks = attacksOf(curves);
  const found = grid ? deviations(grid, attacks, duration_s) : [];
  const steady = found.filter(({ ms }) => ms !== null && Math.abs(ms) <= STEADY_MS).length;
  const low = energy.filter((value) => value < highest / 2).length;
  return {
    energy: clip(mean(energy)),
    dance: found.length ? clip(steady / found.length) : 0,
    bright: clip(mean(column("centroid")) / 6000),
    voice: clip(soundingShare(curves, "vocals") ?? 0),
    dense: clip(duration_s ? attacks.length / duration_s / 12 : 0),
    calm: energy.length ? clip(low / energy.length) : 0,
  };
}

/** Return the mean of each column of a table. */
export function means(table: Table): number[] {
  return Array.from({ length: table.columns }, (_, column) => mean(columnOf(table, column)));
}

/** Return the standard deviation of each column of a table. */
export function deviationsOf(table: Table): number[] {
  return Array.from({ length: table.columns }, (_, column) => {
    const values = columnOf(table, column);
    const middle = mean(values);
    return Math.sqrt(mean(values.map((value) => (value - middle) ** 2)));
  });
}

/** Return the three strongest pitch classes, by the circle of their mean. */
export function strongest(table: Table): string[] {
  return means(table)
    .map((value, pitch) => ({ value, name: PITCHES[pitch] ?? "" }))
    .sort((one, other) => other.value - one.value)
    .slice(0, 3)
    .map(({ name }) => name);
}

/** A picture of a table: lightness 0 to 1 by row and column, each column over its own span if wanted. */
export function heatOf(table: Table, isEach: boolean): { columns: number; rows: number; values: Float32Array } {
  const values = new Float32Array(table.rows * table.columns);
  let [low, high] = [Infinity, -Infinity];
  for (let column = 0; column < table.columns; column++) {
    const own = columnOf(table, column);
    if (isEach) [low, high] = [Infinity, -Infinity];
    for (const value of own) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    for (let row = 0; row < table.rows; row++) {
      values[row * table.columns + column] = isEach ? ((own[row] ?? 0) - low) / (high - low || 1) : (own[row] ?? 0);
    }
  }
  if (!isEach) for (let k = 0; k < values.length; k++) values[k] = ((values[k] ?? 0) - low) / (high - low || 1);
  return { columns: table.columns, rows: table.rows, values };
}

/** Return each section's mean of a table's columns. */
function sectionMeans(table: Table, sections: readonly Section[]): number[][] {
  const columns = Array.from({ length: table.columns }, (_, column) => columnOf(table, column));
  return sections.map(({ start_s, end_s }) => {
    const first = Math.min(table.rows - 1, Math.floor(start_s * table.rate_hz));
    const end = Math.max(first + 1, Math.min(table.rows, Math.floor(end_s * table.rate_hz)));
    return columns.map((values) => mean(values.subarray(first, end)));
  });
}

/** Return the vectors of sections, each column relative to the sections' mean and spread. */
function relative(vectors: readonly number[][]): number[][] {
  const width = vectors[0]?.length ?? 0;
  const middle = Array.from({ length: width }, (_, k) => mean(vectors.map((vector) => vector[k] ?? 0)));
  const wide = Array.from({ length: width }, (_, k) =>
    Math.sqrt(mean(vectors.map((vector) => ((vector[k] ?? 0) - (middle[k] ?? 0)) ** 2))),
  );
  return vectors.map((vector) => vector.map((value, k) => (value - (middle[k] ?? 0)) / (wide[k] || 1)));
}

/** Return the section whose timbre differs most from the track's; null without two. */
export function mostDifferent(table: Table, sections: readonly Section[]): Section | null {
  if (sections.length < 2) return null;
  const distances = relative(sectionMeans(table, sections)).map((vector) => Math.hypot(...vector));
  return sections[distances.indexOf(Math.max(...distances))] ?? null;
}

export interface Extremes {
  high_s: number;
  low_s: number;
}

/** Return where a curve is highest and lowest, over some seconds; its first and last ones do not count. */
export function extremes(values: Float32Array, rate_hz: number): Extremes {
  const wide = Math.max(1, Math.round(LONG_S * rate_hz));
  const smooth: number[] = [];
  for (let at = 0; at + wide <= values.length; at++) smooth.push(mean(values.subarray(at, at + wide)));
  const inner = smooth.length > 2 * wide ? smooth.slice(wide, -wide) : smooth;
  const offset = smooth.length > 2 * wide ? wide : 0;
  const place = (value: number) => (inner.indexOf(value) + offset + wide / 2) / rate_hz;
  return { high_s: place(Math.max(...inner)), low_s: place(Math.min(...inner)) };
}

export interface Part extends Section {
  energy: number;
  /** Places of later sections that sound alike. */
  alike: number[];
}

/** Return the sections with their energy, and which of them sound alike. */
export function structureOf(curves: Curves, sections: readonly Section[]): Part[] {
  const energy = curves.tables.get("energy");
  const energies = energy ? sectionMeans(energy, sections).map(([value]) => value ?? 0) : sections.map(() => 0.5);
  const [mfcc, chroma] = [curves.tables.get("mfcc"), curves.tables.get("chroma")];
  const timbre = mfcc ? sectionMeans(mfcc, sections) : [];
  const notes = chroma ? sectionMeans(chroma, sections) : [];
  const vectors = relative(sections.map((_, k) => [...(timbre[k] ?? []), ...(notes[k] ?? [])]));
  const cosine = (one: number[], other: number[]) => {
    const product = one.reduce((sum, value, k) => sum + value * (other[k] ?? 0), 0);
    return product / (Math.hypot(...one) * Math.hypot(...other) || 1);
  };
  return sections.map((section, place) => ({
    ...section,
    energy: energies[place] ?? 0,
    alike: sections.flatMap((_, other) =>
      other > place && cosine(vectors[place] ?? [], vectors[other] ?? []) >= ALIKE ? [other] : [],
    ),
  }));
}

/** Return the section at a time. */
export function sectionAt(sections: readonly Section[], time_s: number): Section | undefined {
  return sections.find(({ start_s, end_s }) => start_s <= time_s && time_s < end_s);
}

/** Return a curve in at most so many points, each the mean of its part. */
export function thinned(values: Float32Array, most: number): Float32Array {
  if (values.length <= most) return values;
  return Float32Array.from({ length: most }, (_, k) =>
    mean(values.subarray(Math.floor((k * values.length) / most), Math.max(1, Math.floor(((k + 1) * values.length) / most)))),
  );
}
