import { expect, test, vi } from "vitest";

const answers: ((tracks: number[]) => void)[] = [];
vi.mock("../connection.svelte", () => ({
  channel: {
    isOpen: true,
    call: (method: string) =>
      method === "library.numbers"
        ? new Promise((resolve) => answers.push((tracks) => resolve({ tracks })))
        : Promise.resolve(method === "library.numbers_words" ? { tracks: [5, 6], reasons: [["126.0 BPM", "dark"]], understood: "dark", notes: ["a note"] } : { tracks: [] }),
  },
}));

const { TrackList } = await import("./list.svelte");

test("what changes while a list is asked for makes the answer stale", async () => {
  const list = new TrackList();
  const shown = list.show({ kind: "all", name: "", words: "", view: "combined", isMeant: false });
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
  const shown = list.show({ kind: "all", name: "", words: "", view: "combined", isMeant: false });
  answers.shift()?.([3, 4, 3]);
  await shown;
  list.drop(({ id }) => id === 3);
  expect(list.items.map(({ id }) => id)).toEqual([4]);
});

test("hits of a search in words have their reasons, as many as are said", async () => {
  const list = new TrackList();
  await list.show({ kind: "recent", name: "", words: "dark", view: "combined", isMeant: true });
  expect(list.items).toEqual([{ id: 5, reasons: ["126.0 BPM", "dark"] }, { id: 6 }]);
  expect(list.meaning).toEqual({ understood: "dark", notes: ["a note"] });
  const shown = list.show({ kind: "all", name: "", words: " ", view: "combined", isMeant: true });
  answers.shift()?.([1]);
  await shown;
  expect(list.items).toEqual([{ id: 1 }]);
  expect(list.meaning.understood).toBe("");
});
