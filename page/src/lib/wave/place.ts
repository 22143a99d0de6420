/** Where a deck is in a frame: reckoned from its anchor, round its loop, without a step where a new anchor differs little. Pure. */

import { positionAt, type Anchor } from "../anchor";
import { foldedInLoop, type LoopSpan } from "./geometry";

const SMALL_S = 0.06; // of another anchor: delay of messages, not a jump
const GLIDE_MS = 200; // over which that is made good

export class Place {
  private anchor: Anchor | null = null;
  private error_s = 0;
  private since_ms = 0;

  /** Return the deck's position: `time_s` on the server's clock is `now_ms` of the frame. */
  at(now_ms: number, anchor: Anchor | null, time_s: number, loop: LoopSpan | null): number {
    if (!anchor) return 0;
    const reckoned = this.reckon(anchor, time_s, loop);
    if (this.anchor !== anchor) {
      const before = this.anchor;
      const isSteady = before?.playing && anchor.playing && before.rate === anchor.rate;
      const expected = before ? this.reckon(before, time_s, loop) + this.rest(now_ms) : reckoned;
      const error = expected - reckoned;
      this.error_s = isSteady && Math.abs(error) < SMALL_S ? error : 0;
      this.since_ms = now_ms;
      this.anchor = anchor;
    }
    return reckoned + this.rest(now_ms);
  }

  private reckon(anchor: Anchor, time_s: number, loop: LoopSpan | null): number {
    const free = positionAt(anchor, time_s);
    return anchor.playing ? foldedInLoop(anchor.position_s, free, loop) : free;
  }

  private rest(now_ms: number): number {
    const left = 1 - (now_ms - this.since_ms) / GLIDE_MS;
    return left > 0 ? this.error_s * Math.min(1, left) : 0;
  }
}
