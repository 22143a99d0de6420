/** A picture for a track without a cover: a two-tone mark that its number decides. Pure. */

const TONES: readonly (readonly [string, string])[] = [
  ["#2a313b", "#d9dee5"],
  ["#3a2a22", "#f1c9a5"],
  ["#1f3330", "#a9e0cf"],
  ["#2b2440", "#cdbdf2"],
  ["#3b2230", "#f2b6c9"],
  ["#20303f", "#a8cfef"],
  ["#37351f", "#e9df9a"],
];

export type Shape = "rings" | "triangle" | "bars" | "half";
const SHAPES: readonly Shape[] = ["rings", "triangle", "bars", "half"];

export interface Mark {
  ground: string;
  ink: string;
  shape: Shape;
  /** Offset and length of six bars, 0 to 1. */
  bars: readonly (readonly [number, number])[];
}

/** Return the mark of a number. */
export function markOf(id: number): Mark {
  let state = (Math.imul(id, 2654435761) ^ 0x9e3779b9) >>> 0;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 2 ** 32;
  };
  const [ground, ink] = TONES[Math.floor(next() * TONES.length)] ?? ["#2a313b", "#d9dee5"];
  const shape = SHAPES[Math.floor(next() * SHAPES.length)] ?? "rings";
  return { ground, ink, shape, bars: Array.from({ length: 6 }, () => [next(), next()] as const) };
}
