/** Texts, flags and the playhead as small pictures: drawn once, moved with `drawImage`. */

import { inkOn, rgbOf } from "./colours";

const MAX_SPRITES = 400;
const MAX_LETTERS = 60; // of a name that may have 10,000
const FONT = '"Inter Variable", Inter, system-ui, sans-serif';

/** A picture; `width` in CSS pixels. */
export interface Sprite {
  picture: ImageBitmap;
  width: number;
}

const kept = new Map<string, Sprite>();

// Inter comes later than the first frame.
if (typeof document !== "undefined") void document.fonts.ready.then(() => kept.clear());

function sprite(key: string, make: () => Sprite): Sprite {
  const there = kept.get(key);
  if (there) return there;
  if (kept.size >= MAX_SPRITES) kept.clear();
  const made = make();
  kept.set(key, made);
  return made;
}

function blank(width: number, height: number, dpr: number): [OffscreenCanvas, OffscreenCanvasRenderingContext2D | null] {
  const canvas = new OffscreenCanvas(Math.max(1, Math.ceil(width * dpr)), Math.max(1, Math.ceil(height * dpr)));
  const context = canvas.getContext("2d");
  context?.scale(dpr, dpr);
  return [canvas, context];
}

const measuring = () => blank(1, 1, 1)[1];

/** Return a text in one line, cut to a width. */
function cut(context: OffscreenCanvasRenderingContext2D, text: string, most_px: number): string {
  let short = [...text.replace(/\s+/g, " ").slice(0, 4 * MAX_LETTERS)].slice(0, MAX_LETTERS).join("");
  const isWhole = short.length === text.length;
  if (isWhole && context.measureText(short).width <= most_px) return short;
  while (short && context.measureText(`${short}…`).width > most_px) short = short.slice(0, -1);
  return `${short.trimEnd()}…`;
}

/** Return a text of the ruler; a part may stand behind it in another weight and colour. */
export function textSprite(text: string, colour: string, dpr: number, height: number, more = "", moreColour = ""): Sprite {
  return sprite(`t ${text} ${colour} ${dpr} ${height} ${more} ${moreColour}`, () => {
    const first = `600 11px ${FONT}`;
    const second = `650 11px ${FONT}`;
    const meter = measuring();
    if (!meter) return { picture: blank(1, 1, 1)[0].transferToImageBitmap(), width: 1 };
    meter.font = second;
    const shown = more && cut(meter, more, 120);
    const moreWidth = shown ? meter.measureText(shown).width + 6 : 0;
    meter.font = first;
    const own = text ? meter.measureText(text).width : 0;
    const width = own + moreWidth + 2;
    const [canvas, context] = blank(width, height, dpr);
    if (context) {
      context.textBaseline = "alphabetic";
      context.font = first;
      context.fillStyle = colour;
      context.fillText(text, 0, height - 5);
      context.font = second;
      context.fillStyle = moreColour;
      if (shown) context.fillText(shown, own ? own + 6 : 0, height - 5);
    }
    return { picture: canvas.transferToImageBitmap(), width };
  });
}

/** Return the flag of a cue: number and name on its colour. */
export function flagSprite(number: string, label: string, colour: string, dpr: number, height: number): Sprite {
  return sprite(`f ${number} ${label.slice(0, 4 * MAX_LETTERS)} ${colour} ${dpr} ${height}`, () => {
    const font = `700 12px ${FONT}`;
    const meter = measuring();
    if (!meter) return { picture: blank(1, 1, 1)[0].transferToImageBitmap(), width: 1 };
    meter.font = font;
    const name = label && cut(meter, label, 150);
    const numberWidth = meter.measureText(number).width;
    const width = 12 + numberWidth + (name ? 7 + meter.measureText(name).width : 0);
    const [canvas, context] = blank(width, height, dpr);
    if (context) {
      context.fillStyle = colour;
      context.beginPath();
      context.roundRect(0, 0, width, height, [0, 4, 4, 0]);
      context.fill();
      context.font = font;
      context.fillStyle = inkOn(rgbOf(colour));
      context.fillText(number, 6, height - 5);
      if (name) context.fillText(name, 13 + numberWidth, height - 5);
    }
    return { picture: canvas.transferToImageBitmap(), width };
  });
}

/** Return a triangle that points down: a memory cue. */
export function pointSprite(colour: string, dpr: number, size: number): Sprite {
  return sprite(`p ${colour} ${dpr} ${size}`, () => {
    const [canvas, context] = blank(size, size, dpr);
    if (context) {
      context.fillStyle = colour;
      context.beginPath();
      context.moveTo(0, 0);
      context.lineTo(size, 0);
      context.lineTo(size / 2, size * 0.8);
      context.fill();
    }
    return { picture: canvas.transferToImageBitmap(), width: size };
  });
}

export const HEAD_PX = 22; // width of the playhead's picture

/** Return the playhead: a line with its edge, and a triangle on top. */
export function headSprite(colour: string, edge: string, dpr: number, height: number): Sprite {
  return sprite(`h ${colour} ${edge} ${dpr} ${height}`, () => {
    const [canvas, context] = blank(HEAD_PX, height, dpr);
    if (context) {
      const x = HEAD_PX / 2;
      context.fillStyle = edge;
      context.fillRect(x - 3, 0, 6, height);
      context.fillStyle = colour;
      context.fillRect(x - 1.5, 0, 3, height);
      context.beginPath();
      context.moveTo(x - 9, 0);
      context.lineTo(x + 9, 0);
      context.lineTo(x, 12);
      context.closePath();
      context.lineWidth = 4;
      context.strokeStyle = edge;
      context.stroke();
      context.fill();
    }
    return { picture: canvas.transferToImageBitmap(), width: HEAD_PX };
  });
}
