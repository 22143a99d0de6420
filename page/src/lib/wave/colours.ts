/** Colours of the waveforms: shades of a hue, text on it. Pure. */

export type Rgb = readonly [number, number, number];

/** Return a colour of a style sheet, `#rgb` or `#rrggbb`, as numbers from 0 to 255; white for others. */
export function rgbOf(text: string): Rgb {
  const hex = text.trim().replace("#", "");
  const long = hex.length === 3 ? [...hex].map((digit) => digit + digit).join("") : hex;
  if (!/^[0-9a-f]{6}$/i.test(long)) return [255, 255, 255];
  return [0, 2, 4].map((at) => parseInt(long.slice(at, at + 2), 16)) as unknown as Rgb;
}

/** Return a colour, mixed with a share of another. */
export function mixed(colour: Rgb, other: Rgb, share: number): Rgb {
  return colour.map((each, index) => Math.round(each + ((other[index] ?? 0) - each) * share)) as unknown as Rgb;
}

const WHITE: Rgb = [255, 255, 255];
const BLACK: Rgb = [0, 0, 0];

/**
 * Return the shades of low, mid and high of a hue.
 *
 * In the dark theme low is dark, mid pure, high pale. On a light ground pale would be next to nothing:
 * there the order of lightness is the other way round, so that the core has the contrast.
 */
export function shadesOf(hue: Rgb, isLight: boolean): readonly [Rgb, Rgb, Rgb] {
  return isLight
    ? [mixed(hue, WHITE, 0.38), hue, mixed(hue, BLACK, 0.45)]
    : [mixed(hue, BLACK, 0.42), hue, mixed(hue, WHITE, 0.5)];
}

/** Return the shades of a silent stem. */
export function silentShades(isLight: boolean): readonly [Rgb, Rgb, Rgb] {
  const texts = isLight ? ["#c3c8ce", "#b3b9c0", "#a2a9b2"] : ["#31373f", "#3d444d", "#4b535d"];
  return texts.map(rgbOf) as unknown as readonly [Rgb, Rgb, Rgb];
}

/** Return the three greys of the overview: low, mid, high. */
export function overviewShades(isLight: boolean): readonly [Rgb, Rgb, Rgb] {
  const texts = isLight ? ["#9aa3ae", "#5e6874", "#1b2129"] : ["#3c444e", "#7d8794", "#e8ecf0"];
  return texts.map(rgbOf) as unknown as readonly [Rgb, Rgb, Rgb];
}

/** Return the relative luminance of a colour, 0 to 1, as WCAG defines it. */
export function luminance(colour: Rgb): number {
  const [r, g, b] = colour.map((each) => {
    const v = each / 255;
    return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  }) as unknown as Rgb;
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** Return black or white, whichever contrasts more with a colour. */
export function inkOn(colour: Rgb): string {
  const y = luminance(colour);
  return (y + 0.05) / 0.05 > 1.05 / (y + 0.05) ? "#000" : "#fff";
}

export const css = ([r, g, b]: Rgb, alpha = 1) => `rgb(${r} ${g} ${b} / ${alpha})`;
