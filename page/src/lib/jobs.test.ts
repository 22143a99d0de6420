import { expect, test } from "vitest";

import { withEvent, type Job, type JobEvent } from "./jobs";

const job = (id: number, state: Job["state"]): Job => ({
  id,
  kind: "separate",
  state,
  title: "Slow Gold",
  track: 1,
  account: 0,
  attempts: 1,
  error: null,
  wait_s: 0,
  progress: 0,
  doing: "",
  created_s: 1,
  started_s: 2,
  ended_s: 0,
});
const event = (id: number, state: Job["state"], percent = 50): JobEvent => ({
  job: id,
  kind: "separate",
  state,
  title: "Slow Gold",
  track: 1,
  percent,
  doing: "pass 1",
  error: null,
});

test("progress changes the row alone", () => {
  const jobs = [job(2, "running"), job(1, "waiting")];
  const after = withEvent(jobs, event(2, "running"), "all");
  expect(after?.[0]).toMatchObject({ progress: 0.5, doing: "pass 1" });
  expect(after?.[1]).toBe(jobs[1]);
});

test("another state, or a job that is not listed, asks for the list again", () => {
  const jobs = [job(1, "waiting")];
  expect(withEvent(jobs, event(1, "running"), "all")).toBeNull();
  expect(withEvent(jobs, event(9, "running"), "all")).toBeNull();
});
