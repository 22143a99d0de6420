/** Where a deck is at any moment, reckoned from the last anchor. Pure. */

export interface Anchor {
  deck: string;
  position_s: number;
  rate: number;
  playing: boolean;
  loaded: boolean;
  time_s: number;
}

/** Return a deck's position at a time of the server's clock. */
export function positionAt(anchor: Anchor, time_s: number): number {
  return anchor.position_s + anchor.rate * (time_s - anchor.time_s);
}
