/** Arcs of knobs, as SVG paths. Pure. */

/** Return the point at an angle in degrees, 0 at the top, clockwise. */
export function pointAt(radius: number, angle: number): [number, number] {
  const radians = ((angle - 90) * Math.PI) / 180;
  return [Math.cos(radians) * radius, Math.sin(radians) * radius];
}

/** Return an arc from one angle to another. */
export function arc(radius: number, from: number, to: number): string {
  const [x, y] = pointAt(radius, from);
  const [u, v] = pointAt(radius, to);
  const isLarge = Math.abs(to - from) > 180 ? 1 : 0;
  return `M${x.toFixed(2)} ${y.toFixed(2)}A${radius} ${radius} 0 ${isLarge} ${to > from ? 1 : 0} ${u.toFixed(2)} ${v.toFixed(2)}`;
}

const SWEEP = 270;

/** Return the angle of a travel: 270 degrees in all, the middle at the top. */
export function angleOf(travel: number): number {
  return SWEEP * (travel - 0.5);
}
