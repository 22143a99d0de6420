/** Numbers of beats as texts. Pure. */

/** Return a number of beats as musicians write it: `1/4`, `4`. */
export function beatsText(beats: number): string {
  if (beats >= 1 || beats <= 0) return String(Math.round(beats * 100) / 100);
  return `1/${Math.round(1 / beats)}`;
}
