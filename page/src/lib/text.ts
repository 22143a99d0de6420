/** Values as text, as the desk writes them: digits, unit, the words of a choice. Pure. */

import type { ControlInfo, Value } from "./controls";

/** Return a number with so many decimals, ties to even and no negative zero, as Python formats it. */
export function fixed(value: number, digits: number): string {
  let text = Math.abs(value).toFixed(digits);
  const exact = Math.abs(value).toFixed(Math.min(100, digits + 30));
  if (/^50*$/.test(exact.slice(digits ? text.length : text.length + 1))) {
    const below = exact.slice(0, text.length);
    if (Number(below[below.length - 1]) % 2 === 0) text = below;
  }
  return value < 0 && Number(text) !== 0 ? `-${text}` : text;
}

/** Return a control's value as the desk writes it. */
export function textOf(info: ControlInfo, value: Value): string {
  if (info.kind === "text") return String(value ?? "");
  if (value === null) return info.optional ? "not set" : "";
  const number = Number(value);
  if (info.kind === "switch") return number ? "on" : "off";
  if (info.kind === "choice") return info.options[Math.round(number)] ?? "";
  const [low, high] = [info.low ?? 0, info.high ?? 1];
  const isYesNo = info.whole && info.unit === "" && low === 0 && high === 1;
  if (info.kind === "meter" && isYesNo) return number ? "yes" : "no";
  if (info.law === "gain" && Number(fixed(number, info.digits)) <= low) return "off";
  return `${fixed(number, info.digits)} ${info.unit}`.trimEnd();
}

/** Return a text for the eye: with the true minus sign. */
export function shown(text: string): string {
  return text.replace(/^-(?=\d)/, "−");
}

/** Return seconds as minutes and seconds: `1:03.4`, `−0:07.0`. */
export function clockText(seconds: number, digits = 1): string {
  const unit = 10 ** digits;
  const rounded = Math.round(Math.abs(seconds) * unit) / unit;
  const minutes = Math.floor(rounded / 60);
  const rest = (rounded - minutes * 60).toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
  return `${seconds < 0 && rounded > 0 ? "−" : ""}${minutes}:${rest}`;
}

const CAPITALS = new Set("BPM CUE EQ FX LFO LED MIDI OSC PFL PLAY RMS VU".split(" "));

/** Return a control's label for the eye: the desk's, in small letters but for abbreviations. */
export function captionOf(label: string): string {
  const words = label.split(" ").map((word) => (CAPITALS.has(word) ? word : word.toLowerCase()));
  const text = words.join(" ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
