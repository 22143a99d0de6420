import { expect, test } from "vitest";

import { camelotOf } from "./camelot";

test("the wheel", () => {
  const keys = ["A minor", "C major", "E minor", "Bb minor +32 ct", "F# major", "Ab minor", "B major", "G# minor"];
  expect(keys.map(camelotOf)).toEqual(["8A", "8B", "9A", "3A", "2B", "1A", "1B", "1A"]);
});

test("what is no key has no code", () => {
  expect(camelotOf("")).toBe("");
  expect(camelotOf("<b>A minor</b>")).toBe("");
});
