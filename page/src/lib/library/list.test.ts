import { expect, test, vi } from "vitest";

const answers: ((tracks: number[]) => void)[] = [];
vi.mock("../connection.svelte", () => ({
  channel: {
    isOpen: true,
    call: (method: string, params: Record<string, unknown>) => {
      if (method === "library.numbers") return new Promise((resolve) => answers.push((tracks) => resolve({ tracks })));
      if (method === "library.hotcues") return Promise.resolve({ track: 12 });
      if (method !== "library.numbers_words") return Promise.resolve({ tracks: [] });
      if (String(params["words"]).includes("this") && !params["this"]) return Promise.reject(new Error('"this" names no track here'));
      return Promise.resolve({ tracks: [5, 6], reasons: [["126.0 BPM", "dark"]], understood: String(params["this"] ?? "dark"), notes: ["a note"] });
    },
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

test('"this" is the track of the deck that leads', async () => {
  const list = new TrackList();
  const place = { kind: "all", name: "", words: "goes with this", view: "combined", isMeant: true };
  await list.show(place);
  expect(list.phase).toBe("error");
  list.onDeck = () => "12.sfa";
  await list.show(place, true);
  expect(list.meaning.understood).toBe("12");
});
