/** Listening to loops of tracks in the browser: one at a time, again and again. */

import { StemPlayer } from "./library/player.svelte";
import { lengthOf, type Loop } from "./loops";

export class LoopPlayer {
  /** The loop that plays; 0 for none. */
  pad = $state(0);
  private player = $state.raw<StemPlayer | null>(null);

  /** Why nothing is heard. */
  get error(): string {
    return this.player?.error ?? "";
  }

  /** Play stems of a loop's track, or stop it if that is what plays. */
  toggle(loop: Loop, stems: readonly string[]) {
    const isThis = this.pad === loop.pad && !this.error;
    this.stop();
    if (isThis) return;
    this.player = new StemPlayer(loop.track, stems);
    this.player.within = [loop.start_s, loop.start_s + lengthOf(loop)];
    this.player.seek(loop.start_s);
    this.pad = loop.pad;
    void this.player.play();
  }

  stop() {
    this.player?.close();
    [this.player, this.pad] = [null, 0];
  }
}
