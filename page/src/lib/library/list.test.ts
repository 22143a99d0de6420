import { expect, test, vi } from "vitest";

const answers: ((tracks: number[]) => void)[] = [];
vi.mock("../connection.svelte", () => ({
  channel: {
    isOpen: true,
    call: (method: string) =>
      method === "library.numbers"
        ? new Promise((resolve) => answers.push((tracks) => resolve({ tracks })))
        : Promise.resolve({ tracks: [] }),
  },
}));

const { TrackList } = await import("./list.svelte");

test("what changes while a list is asked for makes the answer stale", async () => {
  const list = new TrackList();
  const shown = list.show({ kind: "all", name: "", words: "", view: "combined" });
  list.isStale = true;
  answers.shift()?.([1, 2]);
  await shown;
  expect(list.count).toBe(2);
  expect(list.isStale).toBe(true);
  const again = list.refresh();
  answers.shift()?.([1]);
  await again;
  expect(list.count).toBe(1);
  expect(list.isStale).toBe(false);
});

test("a track that is dropped is gone from every place of the list", async () => {
  const list = new TrackList();
  const shown = list.show({ kind: "all", name: "", words: "", view: "combined" });
  answers.shift()?.([3, 4, 3]);
  await shown;
  list.drop(({ id }) => id === 3);
  expect(list.items.map(({ id }) => id)).toEqual([4]);
});
