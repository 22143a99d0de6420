import { expect, test } from "vitest";
import { Asking, type Answer } from "./asking.svelte";

const answer = (batch: string, count: number): Answer => ({
  preparing: Array.from({ length: count }, (_, id) => ({ id, name: `track ${id}`, lacks: "stems" })),
  passed_over: [],
  batch,
  notes: [],
});

test("what lacks something is waited for, and asked again with its batch", async () => {
  const asking = new Asking<Answer>();
  const asked: string[] = [];
  const answers = [answer("b1", 2), answer("b1", 1), answer("b2", 0)];
  const call = async (batch: string) => {
    asked.push(batch);
    return answers[asked.length - 1] ?? answer("", 0);
  };
  expect(await asking.make(call)).toBeNull();
  expect(asking.batch).toBe("b1");
  expect(await asking.again()).toBeNull();
  expect((await asking.again())?.batch).toBe("b2");
  expect(asking.batch).toBe("");
  expect(asked).toEqual(["", "b1", "b1"]);
});

test("a look waits for nothing, and an error ends the waiting", async () => {
  const asking = new Asking<Answer>();
  expect((await asking.look(async () => answer("", 3)))?.preparing.length).toBe(3);
  expect(asking.batch).toBe("");
  let isFailing = false;
  await asking.make(async () => {
    if (isFailing) throw new Error("no loops");
    return answer("b", 1);
  });
  isFailing = true;
  expect(await asking.again()).toBeNull();
  expect(asking.batch).toBe("");
  expect(asking.error).toEqual(new Error("no loops"));
  expect(asking.isBusy).toBe(false);
});

test("two questions at once are one", async () => {
  const asking = new Asking<Answer>();
  let count = 0;
  const call = async () => answer(String(++count), 0);
  const both = await Promise.all([asking.make(call), asking.make(call)]);
  expect(both.filter(Boolean).length).toBe(1);
  expect(count).toBe(1);
});

test("a job that failed ends the waiting with its error", async () => {
  const asking = new Asking<Answer>();
  await asking.make(async () => answer("b", 1));
  asking.fail(new Error("no stems"));
  expect([asking.batch, asking.said, asking.error]).toEqual(["", null, new Error("no stems")]);
});
