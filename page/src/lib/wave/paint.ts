/** Painting of waveforms into the bytes of an image. Pure: no canvas, so that it runs and is tested anywhere. */

import type { Rgb } from "./colours";
import type { Curves, Table } from "./curves";

/** Height of a band's picture, of the lane's: highs lie within mids within lows. */
const BAND_HEIGHTS = [1, 0.9, 0.62] as const;
const MARGIN_PX = 2; // of a lane, above and below
const LEAST_PX = 0.4; // less is not drawn

/** Return the height of a peak, 0 to 1: between amplitude and its square root, which the peaks have. */
export function heightOfPeak(peak: number): number {
  const v = peak / 255;
  return v * v * 0.55 + v * 0.45;
}

const HEIGHTS = Float32Array.from({ length: 256 }, (_, peak) => heightOfPeak(peak));
const MAX_GAIN = 2.5;
const LOUDEST_SHARE = 0.995; // of the columns that are not silent; a single click does not count

/** Return the height of a table's loud columns, 0 to 1; 0 of a silent one. */
function loudnessOf(table: Table): number {
  const counts = new Uint32Array(256);
  for (let row = 0; row < table.rows; row++) {
    const peak = table.numbers[row * table.columns] as number;
    counts[peak] = (counts[peak] as number) + 1;
  }
  let left = (table.rows - (counts[0] as number)) * (1 - LOUDEST_SHARE);
  for (let peak = 255; peak > 0; peak--) {
    left -= counts[peak] as number;
    if (left < 0) return HEIGHTS[peak] as number;
  }
  return 0;
}

/**
 * Return by how much the picture of each stem is magnified: the loudest fills its lane, and a quiet one
 * is raised half of the way, so that it can be read and is still seen to be quiet.
 */
export function gainsOf(curves: Curves): Map<string, number> {
  const loudness = new Map<string, number>();
  for (const table of curves.tables.values()) {
    if (table.name.startsWith("peaks/")) loudness.set(table.name.slice(6), loudnessOf(table));
  }
  const loudest = Math.max(...[...loudness].filter(([stem]) => stem !== "mix" || loudness.size === 1).map(([, each]) => each));
  const gain = (own: number) => (own > 0 ? Math.min(MAX_GAIN, 1 / Math.sqrt(loudest * own)) : 1);
  return new Map([...loudness].map(([stem, own]) => [stem, stem === "mix" && own > 0 ? 1 / own : gain(own)]));
}


/**
 * Return the heights of bands over a stretch of a table of peaks, [band * columns + column].
 *
 * A column that covers several rows has their highest, one that covers less than a row lies between two.
 */
export function heightsIn(table: Table, columns: number, first_s: number, perSecond: number): Float32Array {
  const { numbers, rows, columns: width, rate_hz } = table;
  const found = new Float32Array(3 * columns);
  const perColumn = rate_hz / perSecond;
  for (let column = 0; column < columns; column++) {
    const at = first_s * rate_hz + column * perColumn;
    if (at + perColumn <= 0 || at >= rows) continue;
    if (perColumn >= 1) {
      const from = Math.max(0, Math.floor(at));
      const to = Math.min(rows, Math.max(from + 1, Math.floor(at + perColumn)));
      for (let band = 0; band < 3; band++) {
        let highest = 0;
        for (let index = from * width + band + 1; index < to * width; index += width) {
          const value = numbers[index] as number;
          if (value > highest) highest = value;
        }
        found[band * columns + column] = HEIGHTS[highest] as number;
      }
    } else {
      const row = Math.max(0, Math.floor(at));
      const next = Math.min(rows - 1, row + 1);
      const share = Math.max(0, at - row);
      for (let band = 0; band < 3; band++) {
        const a = HEIGHTS[numbers[row * width + band + 1] ?? 0] as number;
        const b = HEIGHTS[numbers[next * width + band + 1] ?? 0] as number;
        found[band * columns + column] = a + (b - a) * share;
      }
    }
  }
  return found;
}

/** Lay a colour over a pixel with some coverage. */
function over(pixels: Uint8ClampedArray, at: number, [r, g, b]: Rgb, coverage: number) {
  if (coverage >= 1) {
    pixels[at] = r;
    pixels[at + 1] = g;
    pixels[at + 2] = b;
    pixels[at + 3] = 255;
    return;
  }
  const under = (pixels[at + 3] as number) / 255;
  const alpha = coverage + under * (1 - coverage);
  const blend = (own: number, there: number) => (own * coverage + there * under * (1 - coverage)) / alpha;
  pixels[at] = blend(r, pixels[at] as number);
  pixels[at + 1] = blend(g, pixels[at + 1] as number);
  pixels[at + 2] = blend(b, pixels[at + 2] as number);
  pixels[at + 3] = alpha * 255;
}

/** Fill a column from its middle line up and down, or from the bottom up. */
export type Origin = "middle" | "bottom";

/**
 * Paint bands into an image, low first, each over the one before; edges are smooth.
 *
 * Parameters: `pixels` [height * columns * 4], `heights` as `heightsIn` gives them.
 */
export function paintBands(
  pixels: Uint8ClampedArray,
  columns: number,
  height: number,
  heights: Float32Array,
  shades: readonly [Rgb, Rgb, Rgb],
  { origin = "middle", gain = 1 }: { origin?: Origin; gain?: number } = {},
) {
  const middle = origin === "middle" ? height / 2 : height;
  const reach = middle - MARGIN_PX;
  for (let column = 0; column < columns; column++) {
    for (let band = 0; band < 3; band++) {
      const share = Math.min(1, (heights[band * columns + column] as number) * gain);
      const size = share * reach * (BAND_HEIGHTS[band] as number);
      if (size < LEAST_PX) continue;
      const shade = shades[band] as Rgb;
      const top = Math.max(0, Math.floor(middle - size));
      const bottom = origin === "middle" ? Math.min(height, Math.ceil(middle + size)) : height;
      for (let y = top; y < bottom; y++) {
        const covered = Math.min(y + 1, middle + (origin === "middle" ? size : 0)) - Math.max(y, middle - size);
        if (covered > 0) over(pixels, (y * columns + column) * 4, shade, Math.min(1, covered));
      }
    }
  }
}
