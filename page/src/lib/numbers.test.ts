import { expect, test } from "vitest";
import { isNumberOk, typedNumber, typedNumbers } from "./numbers";

const LUFS = { low: -30, high: -6 };

test("a number is typed with any minus and either comma", () => {
  expect(typedNumber(" −14,5 ", LUFS)).toBe(-14.5);
  expect(typedNumber("-14.", LUFS)).toBe(-14);
  expect(typedNumber("+.5", { low: 0, high: 1 })).toBe(0.5);
  expect(typedNumber("  ", LUFS)).toBeNull();
});

test("what is no number, or outside the limits, is not one", () => {
  for (const text of ["x", "1e1", "-14 LUFS", "0x1", "--7", "1.2.3", "Infinity", "-5.9", "-30.1"]) {
    expect(typedNumber(text, LUFS)).toBeNaN();
    expect(isNumberOk(text, LUFS)).toBe(false);
  }
  expect(typedNumber("2.5", { low: 1, high: 9, isWhole: true })).toBeNaN();
  expect(isNumberOk("", LUFS)).toBe(true);
  expect(isNumberOk("-30", LUFS)).toBe(true);
});

test("fields that are empty are left out", () => {
  expect(typedNumbers({ lufs: ["-9", LUFS], limit: ["", { low: 1, high: 300 }] })).toEqual({ lufs: -9 });
});
