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
  picture: ImageBitmap;
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
  get(lane: string, number: number, look: TileLook): ImageBitmap {
    const key = `${lane} ${number}`;
    const there = this.tiles.get(key);
    if (there && isAlike(there, look)) {
      there.used = ++this.clock;
      return there.picture;
    }
    if (there) this.close(key);
    else if (this.tiles.size >= MAX_TILES) this.closeOldest();
    const picture = this.paint(number, look);
    this.painted++;
    this.tiles.set(key, { ...look, picture, used: ++this.clock });
    return picture;
  }

  /** Whether a tile is there as it should look. */
  has(lane: string, number: number, look: TileLook): boolean {
    const there = this.tiles.get(`${lane} ${number}`);
    return !!there && isAlike(there, look);
  }

  /** Drop the tiles of a deck that is shown no more. */
  drop(prefix: string) {
    for (const key of this.tiles.keys()) if (key.startsWith(prefix)) this.close(key);
  }

  private closeOldest() {
    let oldest = "";
    let least = Infinity;
    for (const [key, { used }] of this.tiles) if (used < least) [oldest, least] = [key, used];
    this.close(oldest);
  }

  private close(key: string) {
    this.tiles.get(key)?.picture.close();
    this.tiles.delete(key);
  }

  /** Paint a tile. As a bitmap it is moved without a copy of it in each frame, as a canvas would be. */
  private paint(number: number, look: TileLook): ImageBitmap {
    const { width, height, perSecond } = look;
    const canvas = new OffscreenCanvas(width, height);
    const image = new ImageData(width, height);
    const heights = heightsIn(look.table, width, (number * width) / perSecond, perSecond);
    paintBands(image.data, width, height, heights, look.shades, { gain: look.gain });
    canvas.getContext("2d")?.putImageData(image, 0, 0);
    return canvas.transferToImageBitmap();
  }
}

export const tileStore = new TileStore();
