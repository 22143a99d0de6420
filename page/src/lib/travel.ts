/** Scales: the way from a fader's travel (0 to 1) to a value and back, as `describe` defines them. Pure. */

export type Taper = "linear" | "log" | "decibel" | "centred";

export interface Scale {
  low: number;
  high: number;
  taper: Taper;
  whole: boolean;
}

const clamp = (low: number, high: number, value: number) => Math.min(high, Math.max(low, value));

/** Return the value at a place of the travel, 0 to 1. */
export function valueAt(scale: Scale, travel: number): number {
  const { low, high } = scale;
  const t = clamp(0, 1, travel);
  let value: number;
  switch (scale.taper) {
    case "log":
      value = low * (high / low) ** t;
      break;
    case "decibel":
      value = low + (high - low) * Math.cbrt(t);
      break;
    case "centred":
      value = t < 0.5 ? low * (1 - Math.cbrt(2 * t)) : high * (2 * t - 1);
      break;
    default:
      value = low + (high - low) * t;
  }
  value = clamp(low, high, value);
  return scale.whole ? Math.round(value) : value;
}

/** Return the place on the travel, 0 to 1, of a value. */
export function travelOf(scale: Scale, value: number): number {
  const { low, high } = scale;
  const v = clamp(low, high, value);
  if (scale.taper === "log") return Math.log(v / low) / Math.log(high / low);
  if (scale.taper === "centred") return v < 0 ? (1 - v / low) ** 3 / 2 : 0.5 + v / high / 2;
  const t = (v - low) / (high - low);
  return scale.taper === "decibel" ? t ** 3 : t;
}

const SNAP = 0.02; // of the travel to either side of a detent

/** Return a travel with the detent's catch. */
export function snapped(travel: number, detent: number | null): number {
  return detent !== null && Math.abs(travel - detent) < SNAP ? detent : travel;
}

/** Return the travel one step on: whole values one by one, others in hundredths of the travel. */
export function stepped(scale: Scale, travel: number, steps: number): number {
  if (!scale.whole) return clamp(0, 1, travel + steps / 100);
  const span = scale.high - scale.low;
  const least = Math.abs(steps) < 1 ? Math.sign(steps) : Math.trunc(steps);
  const by = span > 100 ? (steps * span) / 100 : least;
  return travelOf(scale, valueAt(scale, travel) + Math.round(by || least));
}
