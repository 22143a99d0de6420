/** The tempo of taps. Pure. */

/** Return the tempo of the times of taps in ms, by a line through them; null of fewer than three. */
export function tempoOf(taps_ms: readonly number[]): number | null {
  const count = taps_ms.length;
  if (count < 3) return null;
  const middle = (count - 1) / 2;
  const mean = taps_ms.reduce((sum, time) => sum + time, 0) / count;
  let above = 0;
  let below = 0;
  taps_ms.forEach((time, index) => {
    above += (index - middle) * (time - mean);
    below += (index - middle) ** 2;
  });
  const period_ms = above / below;
  const bpm = 60_000 / period_ms;
  return period_ms > 0 && bpm >= 20 && bpm <= 400 ? bpm : null;
}
