import { expect, test } from "vitest";

import { needsCompression } from "./listing.ts";

test("fonts and pictures are not compressed again", () => {
  expect(needsCompression("assets/inter.woff2")).toBe(false);
  expect(needsCompression("icon-192.png")).toBe(false);
  expect(needsCompression("assets/index-abc.js")).toBe(true);
});
