import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { CallError } from "./channel";
import { askUntil } from "./waiting";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Ask for these answers one after another; errors are thrown. */
function asking(answers: (number | Error)[]) {
  const failed: unknown[] = [];
  const seen: number[] = [];
  const end = askUntil(
    async () => {
      const answer = answers.shift() ?? 0;
      if (answer instanceof Error) throw answer;
      return answer;
    },
    (found) => seen.push(found) > 0 && found === 9,
    (error) => failed.push(error),
  );
  return { failed, seen, end };
}

test("it is asked until it is over, through a lost connection", async () => {
  const { failed, seen } = asking([1, new CallError("lost", "x"), new CallError("offline", "x"), 2, 9, 3]);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(seen).toEqual([1, 2, 9]);
  expect(failed).toEqual([]);
});

test("another error is the end", async () => {
  const refused = new CallError("absent", "no job 7");
  const { failed, seen } = asking([1, refused, 2]);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(seen).toEqual([1]);
  expect(failed).toEqual([refused]);
});

test("nothing is said after it was ended", async () => {
  const { failed, seen, end } = asking([1, new Error("late"), 2]);
  await vi.advanceTimersByTimeAsync(0);
  end();
  await vi.advanceTimersByTimeAsync(10_000);
  expect([seen, failed]).toEqual([[1], []]);
});
