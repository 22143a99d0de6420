import { expect, test } from "vitest";

import { hueOf, patternsOf, STEMS } from "./controls";

const fits = (pattern: string, path: string) =>
  new RegExp(`^${pattern.replaceAll(".", "\\.").replaceAll("*", ".*").replaceAll("?", ".")}$`).test(path);

test("few paths stay as they are", () => {
  expect(patternsOf(["deck2.play", "deck1.play", "deck1.play"], 180)).toEqual(["deck1.play", "deck2.play"]);
});

test("many paths become few patterns that have them all", () => {
  const paths: string[] = [];
  for (const deck of [1, 2]) {
    for (const stem of STEMS) {
      for (const name of ["volume", "mute", "solo", "level", "pan", "filter", "send"]) {
        paths.push(`deck${deck}.stem.${stem}.${name}`);
      }
    }
    for (let cue = 1; cue <= 32; cue++) {
      for (const name of ["set", "label", "color", "position"]) paths.push(`deck${deck}.hotcue${cue}.${name}`);
    }
  }
  for (let pad = 1; pad <= 64; pad++) paths.push(`pad${pad}.playing`, `pad${pad}.label`);
  const patterns = patternsOf(paths, 180);
  expect(patterns.length).toBeLessThanOrEqual(180);
  for (const path of paths) expect(patterns.some((pattern) => fits(pattern, path)), path).toBe(true);
});

test("a saturated colour is a stem's", () => {
  expect(hueOf("drums")).toBe("var(--drums)");
  expect(hueOf("alert")).toBe("var(--bad)");
  expect(hueOf("neutral")).toBe("var(--ink)");
});
