/** Tiles of a deck's lanes, painted once and kept: at most 80 of all decks together. */

import type { Rgb } from "./colours";
import type { Table } from "./curves";
import { heightsIn, paintBands } from "./paint";

const MAX_TILES = 80;
export const TILE_PX = 512; // CSS pixels; as wide a tile, 3 s at eight bars, is painted in less than 1 ms

/** What a tile shows. Tables and shades are compared by identity. */
export interface TileLook {
  table: Table;
  shades: readonly [Rgb, Rgb, Rgb];
  gain: number;
  /** Device pixels for each second of the track. */
  perSecond: number;
  width: number;
  height: number;
}

interface Tile extends TileLook {
  canvas: OffscreenCanvas;
  used: number;
}

function isAlike(one: TileLook, other: TileLook): boolean {
  return (
    one.table === other.table &&
    one.shades === other.shades &&
    one.gain === other.gain &&
    one.perSecond === other.perSecond &&
    one.width === other.width &&
    one.height === other.height
  );
}

class TileStore {
  private readonly tiles = new Map<string, Tile>();
  private clock = 0;
  /** Tiles painted since the start, for measurements. */
  painted = 0;

  /** Return the tile of a lane, by its number in the track; painted if it is not there, or looks otherwise. */
  get(lane: string, number: number, look: TileLook): OffscreenCanvas {
    const key = `${lane} ${number}`;
    const there = this.tiles.get(key);
    if (there && isAlike(there, look)) {
      there.used = ++this.clock;
      return there.canvas;
    }
    const canvas = there ? there.canvas : this.spare();
    paintTile(canvas, number, look);
    this.painted++;
    this.tiles.set(key, { ...look, canvas, used: ++this.clock });
    return canvas;
  }

  /** Whether a tile is there as it should look. */
  has(lane: string, number: number, look: TileLook): boolean {
    const there = this.tiles.get(`${lane} ${number}`);
    return !!there && isAlike(there, look);
  }

  /** Drop the tiles of a deck that is shown no more. */
  drop(prefix: string) {
    for (const key of this.tiles.keys()) if (key.startsWith(prefix)) this.tiles.delete(key);
  }

  /** Return a canvas: a new one, or that of the tile that was not seen for longest. */
  private spare(): OffscreenCanvas {
    if (this.tiles.size < MAX_TILES) return new OffscreenCanvas(1, 1);
    let oldest: string | undefined;
    let least = Infinity;
    for (const [key, { used }] of this.tiles) if (used < least) [oldest, least] = [key, used];
    const tile = oldest === undefined ? undefined : this.tiles.get(oldest);
    if (oldest !== undefined) this.tiles.delete(oldest);
    return tile?.canvas ?? new OffscreenCanvas(1, 1);
  }
}

function paintTile(canvas: OffscreenCanvas, number: number, look: TileLook) {
  const { width, height, perSecond } = look;
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const context = canvas.getContext("2d");
  if (!context) return;
  const image = context.createImageData(width, height);
  const heights = heightsIn(look.table, width, (number * width) / perSecond, perSecond);
  paintBands(image.data, width, height, heights, look.shades, { gain: look.gain });
  context.putImageData(image, 0, 0);
}

export const tileStore = new TileStore();
