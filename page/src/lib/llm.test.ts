import { expect, test } from "vitest";
import { dayOf, isNameOk, spentOn, toneOf, usualName, type Used } from "./llm";

test("names are as the verb takes them", () => {
  for (const name of ["rig", "azure-openai", "7b", "a".repeat(32)]) expect(isNameOk(name)).toBe(true);
  for (const name of ["", "Rig", "-a", "a_b", "system", "system-x", "a".repeat(33), "a b"]) expect(isNameOk(name)).toBe(false);
  expect(usualName("google_gemini")).toBe("google-gemini");
});

test("only the costs of the day that are known are added", () => {
  const used = (day: string, cost_usd: number | null): Used => ({
    ...{ day, cost_usd, provider: "p", model: "m", attempts: 1, failed: 0 },
    ...{ input_tokens: 1, output_tokens: null, unpriced: 0 },
  });
  const usage = [used("2026-12-01", 0.5), used("2026-12-01", null), used("2026-12-01", 0.25), used("2026-11-30", 9)];
  expect(spentOn("2026-12-01", usage)).toBe(0.75);
  expect(spentOn("2026-12-02", usage)).toBe(0);
  expect(dayOf(new Date(2026, 0, 5, 23, 59))).toBe("2026-01-05");
});

test("what is not known is no fault", () => {
  expect(["ready", "unknown", "out of quota", "unreachable", "key refused"].map(toneOf)).toEqual(["ok", "plain", "warn", "bad", "bad"]);
});
