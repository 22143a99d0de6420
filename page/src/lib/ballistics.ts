/** A meter's needle: up at once, down 20 dB/s, and a peak that stays for a second. Pure. */

const FALL_DB_PER_S = 20;
const HOLD_S = 1;

export class Ballistics {
  level: number;
  peak: number;
  private peakAt_s = 0;

  constructor(private readonly floor: number) {
    this.level = floor;
    this.peak = floor;
  }

  /** Move on to a time; return whether anything changed. */
  step(input: number, now_s: number, elapsed_s: number): boolean {
    const { level, peak } = this;
    const fall = FALL_DB_PER_S * Math.min(0.1, Math.max(0, elapsed_s));
    this.level = Math.max(this.floor, input, this.level - fall);
    if (this.level >= this.peak) {
      this.peak = this.level;
      this.peakAt_s = now_s;
    } else if (now_s - this.peakAt_s > HOLD_S) {
      this.peak = Math.max(this.floor, this.level, this.peak - fall);
    }
    return this.level !== level || this.peak !== peak;
  }
}
