import { expect, test } from "vitest";

import { ServerClock } from "./clock";

/** A repeatable source of delays: long ones now and then, as Wi-Fi has them. */
function* delays(): Generator<number, never> {
  let state = 7;
  for (;;) {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    const share = state / 2 ** 31;
    yield 0.002 + 0.01 * share + (share > 0.9 ? 0.15 : 0);
  }
}

test("the offset is found within two milliseconds of jitter", () => {
  const clock = new ServerClock();
  const wait = delays();
  const offset_s = -1234.5; // ours minus the server's
  for (let now_s = 0; now_s < 30; now_s += 1) {
    const there_s = now_s + wait.next().value;
    clock.addPong(there_s - offset_s, now_s, there_s + wait.next().value);
  }
  expect(Math.abs((clock.offset_s ?? 0) - offset_s)).toBeLessThan(0.002);
  expect(clock.serverTime(100)).toBeCloseTo(100 - offset_s, 2);
});

test("what is older than a minute counts no more", () => {
  const clock = new ServerClock();
  clock.add(0, 0.001);
  for (let now_s = 1; now_s < 100; now_s += 1) clock.add(now_s, now_s + 0.05);
  expect(clock.offset_s).toBeCloseTo(0.05, 6);
});

test("without a message there is no offset", () => {
  const clock = new ServerClock();
  expect(clock.offset_s).toBeUndefined();
  expect(clock.serverTime(5)).toBe(5);
  clock.add(0, 1);
  clock.reset();
  expect(clock.offset_s).toBeUndefined();
});

test("a device that reads its messages late finds the offset still", () => {
  const clock = new ServerClock();
  const OFFSET_S = 1234.5;
  for (let k = 0; k < 8; k++) {
    const sent_s = 10 + k;
    const time_s = sent_s - OFFSET_S + 0.001 + (k % 3) * 0.01; // a way up is quick at times
    clock.addPong(time_s, sent_s, time_s + OFFSET_S + 0.08 + k * 0.02); // every answer is read late
  }
  for (let k = 0; k < 50; k++) clock.add(30 + k / 10 - OFFSET_S, 30 + k / 10 + 0.002 + (k % 7) * 0.01);
  expect(Math.abs((clock.offset_s ?? 0) - OFFSET_S)).toBeLessThan(0.001);
});
