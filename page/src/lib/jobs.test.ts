import { expect, test } from "vitest";

import { left_s, ordinal, rowsOf, withEvent, type Job, type JobEvent } from "./jobs";

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
  place: 0,
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

test("a track is one row: what runs is its head, the newest of a kind its step", () => {
  const old = { ...job(1, "failed"), kind: "separate" };
  const newest = { ...job(4, "running"), kind: "separate" };
  const cue = { ...job(6, "waiting"), kind: "cue" };
  const imported = { ...job(2, "done"), kind: "import" };
  const loose = { ...job(5, "failed"), kind: "import", track: null };
  const [one, two] = rowsOf([cue, loose, newest, old], [imported]);
  expect(one?.head).toBe(newest);
  expect(one?.chain).toEqual([imported, null, newest, null, cue]);
  expect(one?.live).toEqual([6, 4]);
  expect(two).toMatchObject({ head: loose, failed: [5], track: null });
});

test("of what waits the first is the head, of what ended the last", () => {
  const [waits] = rowsOf([job(8, "waiting"), { ...job(7, "waiting"), kind: "analyse" }], []);
  expect(waits?.head.id).toBe(7);
  const [ended] = rowsOf([{ ...job(9, "done"), kind: "tag" }, job(8, "done")], []);
  expect(ended?.head.id).toBe(8);
  expect(ended?.others).toEqual([]);
});

test("a row has the title and the artist of its track", () => {
  const named = (title: string) => rowsOf([{ ...job(1, "done"), title }], [])[0];
  expect(named("Ann - Slow - Gold")).toMatchObject({ title: "Slow - Gold", artist: "Ann" });
  expect(named("Slow Gold")).toMatchObject({ title: "Slow Gold", artist: "" });
});

test("the time left follows from what is done", () => {
  expect(left_s({ ...job(1, "running"), started_s: 100, progress: 0.25 }, 110)).toBeCloseTo(30);
  expect(left_s({ ...job(1, "running"), started_s: 100, progress: 0.01 }, 110)).toBeNull();
  expect([1, 2, 3, 4, 11, 12, 13, 21, 112].map(ordinal)).toEqual(["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "112th"]);
});
