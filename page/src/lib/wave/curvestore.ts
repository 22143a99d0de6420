/** The curves of the last tracks that decks had, read once each. */

import { fetchCurves, type Curves } from "./curves";

const KEPT = 8; // tracks; five minutes of four stems have 0.7 MB

export class CurveStore {
  private readonly kept = new Map<number, Curves>(); // the latest last
  private readonly reading = new Map<number, Promise<Curves | null>>();

  constructor(private readonly read: (track: number) => Promise<Curves | null> = fetchCurves) {}

  /** Return what is there of a track now. */
  peek(track: number): Curves | null {
    return this.kept.get(track) ?? null;
  }

  /**
   * Return a track's curves; null for one that was not analysed.
   *
   * With `fresh` it asks the server whether they are the same still. The same object comes back if so.
   */
  async get(track: number, fresh = false): Promise<Curves | null> {
    const there = this.kept.get(track);
    if (there && !fresh) {
      this.keep(track, there);
      return there;
    }
    let reading = this.reading.get(track);
    if (!reading) {
      reading = this.read(track).finally(() => this.reading.delete(track));
      this.reading.set(track, reading);
    }
    const found = await reading;
    if (!found) {
      this.kept.delete(track);
      return null;
    }
    const isSame = there?.digest === found.digest && there.tables.size === found.tables.size;
    const kept = there && isSame ? there : found;
    this.keep(track, kept);
    return kept;
  }

  private keep(track: number, curves: Curves) {
    this.kept.delete(track);
    this.kept.set(track, curves);
    for (const oldest of this.kept.keys()) {
      if (this.kept.size <= KEPT) break;
      this.kept.delete(oldest);
    }
  }
}

export const curveStore = new CurveStore();
