import { expect, test } from "vitest";

import { bytesText, spanText, timeText } from "./amounts";

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1.00 kB"],
  [999_950, "1.00 MB"],
  [41_300_000, "41.3 MB"],
  [612e9, "612 GB"],
  [null, "–"],
])("%s bytes", (bytes, text) => {
  expect(bytesText(bytes)).toBe(text);
});

test.each([
  [0.2, "0 s"],
  [59.6, "1 min"],
  [125, "2 min 5 s"],
  [3600, "1 h"],
  [273_600, "3 d 4 h"],
])("%s seconds", (seconds, text) => {
  expect(spanText(seconds)).toBe(text);
});

test("a time of today has no date", () => {
  const now = new Date(2026, 10, 30, 12, 0, 0);
  expect(timeText(now.getTime() / 1000 - 60, now)).toBe("11:59:00");
  expect(timeText(now.getTime() / 1000 - 86_400, now)).toBe("2026-11-29 12:00:00");
});
