/** The geometry of the jog wheel. Pure. */

export const TURN_S = 1.8; // seconds of the track a turn, as a record at 33 1/3 a minute

/** Return the angle in turns, 0 at the top, clockwise, and the radius, 1 at the edge, of a place. */
export function angleAt(x: number, y: number, radius: number): { angle: number; radius: number } {
  return { angle: Math.atan2(x, -y) / (2 * Math.PI), radius: Math.hypot(x, y) / Math.max(1, radius) };
}

/** Return by how many turns a finger went from one angle to another, the short way. */
export function turned(from: number, to: number): number {
  const by = to - from;
  return by - Math.round(by);
}

/** Return the bend, in per cent, of a finger on the rim: as much faster as it turns, within the range. */
export function bendOf(turns: number, elapsed_ms: number, most: number): number {
  if (elapsed_ms <= 0) return 0;
  const speed = (turns * TURN_S * 1000) / elapsed_ms; // 1: as fast as the record
  return Math.min(most, Math.max(-most, speed * 25));
}
