/** The theme's colours for canvases, read from the tokens once for each theme. */

import { STEMS } from "../controls";
import { mixed, overviewShades, rgbOf, shadesOf, silentShades, type Rgb } from "./colours";

type Shades = readonly [Rgb, Rgb, Rgb];

export interface Palette {
  isLight: boolean;
  /** A token's colour as the style sheet has it. */
  token: Readonly<Record<string, string>>;
  hues: Readonly<Record<string, Rgb>>;
  stems: Readonly<Record<string, Shades>>;
  silent: Shades;
  overview: Shades;
  /** Of every second lane. */
  stripe: string;
}

const TOKENS = ["bg", "s1", "s2", "s3", "line", "edge", "ink", "ink2", "ink3", "on", "on-ink", "bad", "beat", "bar", "loop"];
const kept = new Map<string, Palette>();

/** Return the palette of the theme that is shown. */
export function paletteOf(theme: "dark" | "light"): Palette {
  const there = kept.get(theme);
  if (there) return there;
  const style = getComputedStyle(document.documentElement);
  const names = [...TOKENS, "playhead", "playhead-edge", ...STEMS];
  const token = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  const isLight = theme === "light";
  const hues = Object.fromEntries(STEMS.map((stem) => [stem, rgbOf(token[stem] ?? "")]));
  const palette: Palette = {
    isLight,
    token,
    hues,
    stems: Object.fromEntries(STEMS.map((stem) => [stem, shadesOf(hues[stem] as Rgb, isLight)])),
    silent: silentShades(isLight),
    overview: overviewShades(isLight),
    stripe: `rgb(${mixed(rgbOf(token["s1"] ?? ""), isLight ? [0, 0, 0] : [255, 255, 255], 0.024).join(" ")})`,
  };
  kept.set(theme, palette);
  return palette;
}

/** Return the CSS colour of a marker: `#rrggbb`, a stem, or white. */
export function markerColour(palette: Palette, colour: string): string {
  if (colour.startsWith("#")) return colour;
  return palette.token[colour || "on"] ?? palette.token["on"] ?? "#fff";
}
