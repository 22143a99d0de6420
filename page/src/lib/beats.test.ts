import { expect, test } from "vitest";

import { beatsText } from "./beats";

test("parts of a beat are fractions", () => {
  expect([1 / 32, 0.25, 0.5, 1, 4, 64].map(beatsText)).toEqual(["1/32", "1/4", "1/2", "1", "4", "64"]);
});
