/**
 * The curves of a track: `/files/{track}/curves`, in the format of `docs/analysis.md` and
 * `sfa_engine/track/curves.py`. Pure: parses an ArrayBuffer, and reads tables as views of it.
 */

const MAGIC = "SFACURVE";
const VERSION = 1;
const MAX_TABLES = 64;
const HEADER_BYTES = 48;
const ENTRY_BYTES = 64;

/** Rate of the frames in `onsets/STEM` and `splices`. */
export const FRAMES_PER_S = 48_000;

type Kind = 1 | 2 | 3 | 4;
const BYTES: Record<Kind, number> = { 1: 1, 2: 2, 3: 2, 4: 4 };
const LEAST: Record<Kind, number> = { 1: 0, 2: 0, 3: -32_768, 4: 0 };
const WIDTH: Record<Kind, number> = { 1: 255, 2: 65_535, 3: 65_535, 4: 2 ** 32 - 1 };

export type Numbers = Uint8Array | Uint16Array | Int16Array | Uint32Array;

/** A table: rows one after another, each of `columns` numbers. */
export interface Table {
  name: string;
  columns: number;
  rows: number;
  /** Rows a second; 0: a plain list. */
  rate_hz: number;
  low: number;
  high: number;
  /** Whether a value is the square of its number's share of the span. */
  isSquare: boolean;
  /** As they are in the file. */
  numbers: Numbers;
}

export interface Curves {
  /** SHA-256 of the PCM it was made of, in hexadecimal: what changes with the sound. */
  digest: string;
  tables: ReadonlyMap<string, Table>;
}

/** The columns of `peaks/STEM`. */
export const PEAK_COLUMNS = ["all", "low", "mid", "high"] as const;

export class CurvesError extends Error {}

function kindOf(number: number): Kind {
  if (number === 1 || number === 2 || number === 3 || number === 4) return number;
  throw new CurvesError(`table of the unknown type ${number}`);
}

function numbersOf(buffer: ArrayBuffer, kind: Kind, offset: number, count: number): Numbers {
  const bytes = BYTES[kind] * count;
  // A table begins at a multiple of 8; a copy where a server sent it otherwise.
  const part = offset % BYTES[kind] ? buffer.slice(offset, offset + bytes) : buffer;
  const from = part === buffer ? offset : 0;
  if (kind === 1) return new Uint8Array(part, from, count);
  if (kind === 2) return new Uint16Array(part, from, count);
  if (kind === 3) return new Int16Array(part, from, count);
  return new Uint32Array(part, from, count);
}

/** Parse a file of curves; the tables are views of the buffer. */
export function parseCurves(buffer: ArrayBuffer): Curves {
  const view = new DataView(buffer);
  const text = (at: number, length: number) => {
    let found = "";
    for (let k = at; k < at + length; k++) {
      const code = view.getUint8(k);
      if (code) found += String.fromCharCode(code);
    }
    return found;
  };
  if (buffer.byteLength < HEADER_BYTES || text(0, 8) !== MAGIC) throw new CurvesError("not a file of curves");
  const version = view.getUint16(8, true);
  if (version !== VERSION) throw new CurvesError(`version ${version} of the curves is not known`);
  const count = view.getUint16(10, true);
  if (count > MAX_TABLES || buffer.byteLength < HEADER_BYTES + count * ENTRY_BYTES) {
    throw new CurvesError("the file of curves is cut off");
  }
  const bytes = new Uint8Array(buffer, 16, 32);
  const digest = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const tables = new Map<string, Table>();
  for (let index = 0; index < count; index++) {
    const at = HEADER_BYTES + index * ENTRY_BYTES;
    const name = text(at, 24);
    const kind = kindOf(view.getUint8(at + 24));
    const columns = view.getUint16(at + 26, true);
    const rows = view.getUint32(at + 28, true);
    const offset = Number(view.getBigUint64(at + 48, true));
    if (!columns || offset + rows * columns * BYTES[kind] > buffer.byteLength) {
      throw new CurvesError(`table "${name}" is cut off`);
    }
    tables.set(name, {
      name,
      columns,
      rows,
      rate_hz: view.getFloat64(at + 32, true),
      low: view.getFloat32(at + 40, true),
      high: view.getFloat32(at + 44, true),
      isSquare: view.getUint8(at + 25) === 1,
      numbers: numbersOf(buffer, kind, offset, rows * columns),
    });
  }
  return { digest, tables };
}

function kindOfNumbers(numbers: Numbers): Kind {
  if (numbers instanceof Uint8Array) return 1;
  if (numbers instanceof Uint16Array) return 2;
  return numbers instanceof Int16Array ? 3 : 4;
}

/** Return a function from a table's numbers to their values. */
export function scaleOf(table: Table): (number: number) => number {
  const kind = kindOfNumbers(table.numbers);
  const [least, width] = [LEAST[kind], WIDTH[kind]];
  const span = table.high - table.low;
  return (number) => {
    const share = (number - least) / width;
    return table.low + span * (table.isSquare ? share * share : share);
  };
}

/** Return one column of a table in its unit. */
export function columnOf(table: Table, column = 0): Float32Array {
  const value = scaleOf(table);
  const found = new Float32Array(table.rows);
  for (let row = 0; row < table.rows; row++) found[row] = value(table.numbers[row * table.columns + column] ?? 0);
  return found;
}

/** Return a list of frames as seconds. */
export function secondsOf(table: Table): Float64Array {
  return Float64Array.from(table.numbers, (frame) => frame / FRAMES_PER_S);
}

/** Return the stems that have peaks, `mix` among them. */
export function stemsOf(curves: Curves): string[] {
  return [...curves.tables.keys()].filter((name) => name.startsWith("peaks/")).map((name) => name.slice(6));
}

/**
 * Return the highest peaks of a stem in as many columns, 0 to 1 as the square root of the amplitude:
 * [column * 4 + band], bands as `PEAK_COLUMNS`.
 */
export function peaksIn(table: Table, columns: number, first = 0, end = table.rows): Uint8Array {
  const found = new Uint8Array(columns * 4);
  const rows = Math.max(0, end - first);
  const numbers = table.numbers;
  for (let column = 0; column < columns; column++) {
    const from = first + Math.floor((column * rows) / columns);
    const to = Math.max(from + 1, first + Math.floor(((column + 1) * rows) / columns));
    for (let row = from; row < to && row < table.rows; row++) {
      for (let band = 0; band < 4; band++) {
        const value = numbers[row * table.columns + band] ?? 0;
        if (value > found[column * 4 + band]!) found[column * 4 + band] = value;
      }
    }
  }
  return found;
}

/** Fetch and parse a track's curves. The server answers 304 while they are the same. */
export async function fetchCurves(track: number, signal?: AbortSignal): Promise<Curves | null> {
  const response = await fetch(`/files/${track}/curves`, {
    credentials: "same-origin",
    ...(signal && { signal }),
  });
  if (response.status === 404 || response.status === 422) return null;
  if (!response.ok) throw new CurvesError(`the server answered ${response.status}`);
  return parseCurves(await response.arrayBuffer());
}
