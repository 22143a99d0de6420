/**
 * Listening to a track from a place on, in this browser: its stems, and clicks on the beats of a grid if
 * there is one. A click is exact within some 10 ms, the grain of an audio element's clock: that tells a
 * beat from half a beat.
 */

import { StemPlayer } from "./library/player.svelte";
import { beatsIn, type Grid } from "./wave/grid";

const AHEAD_S = 0.2; // that clicks are scheduled
const PERIOD_MS = 60;
const CLICK_S = 0.03;
const LEVEL = 0.5; // full scale is 1
const SILENT = 0.001; // -60 dB: where an exponential ramp may end
const HZ = { beat: 1000, downbeat: 1600 } as const;

export class TrackPreview {
  /** The name of what plays; empty for nothing. */
  playing = $state("");
  /** Why nothing is heard. */
  error = $state("");
  private player: StemPlayer | undefined;
  private context: AudioContext | undefined;
  private timer: ReturnType<typeof setInterval> | undefined;

  /** Play a track, or stop it if that is what plays. */
  toggle(name: string, track: number, stems: readonly string[], from_s: number, grid: Grid | null = null) {
    const isThis = this.playing === name;
    this.stop();
    if (isThis) return;
    const player = new StemPlayer(track, stems.length ? stems : ["mix"]);
    [this.player, this.playing] = [player, name];
    player.seek(from_s);
    void player.play();
    const context = grid ? (this.context = new AudioContext()) : undefined;
    let until_s = from_s;
    this.timer = setInterval(() => {
      const now_s = player.first?.currentTime ?? 0;
      if (player.error || (player.first?.ended ?? false)) {
        const why = player.error;
        this.stop();
        this.error = why;
      } else if (player.isPlaying && grid && context) {
        const from = Math.max(until_s, now_s);
        until_s = now_s + AHEAD_S;
        for (const beat of beatsIn(grid, from, until_s)) {
          click(context, context.currentTime + beat.time_s - now_s, beat.isDownbeat ? HZ.downbeat : HZ.beat);
        }
      }
    }, PERIOD_MS);
  }

  stop() {
    clearInterval(this.timer);
    this.player?.close();
    void this.context?.close();
    [this.player, this.context, this.playing, this.error] = [undefined, undefined, "", ""];
  }
}

function click(context: AudioContext, at_s: number, hz: number) {
  const tone = context.createOscillator();
  const level = context.createGain();
  tone.frequency.value = hz;
  level.gain.setValueAtTime(LEVEL, at_s);
  level.gain.exponentialRampToValueAtTime(SILENT, at_s + CLICK_S);
  tone.connect(level).connect(context.destination);
  tone.start(at_s);
  tone.stop(at_s + CLICK_S);
}
