import { expect, test } from "vitest";
import { changesOf, creditOf, historyOf, isDraft, partsOf, tracksOf, transitionsOf, type AgentAnswer, type Turn } from "./agents";

const answer = (values: Partial<AgentAnswer> = {}): AgentAnswer => ({
  output: "said",
  agent: "track",
  by: "rules",
  evidence: [],
  proposals: [],
  tracks: [],
  questions: [],
  notes: [],
  model: "",
  provider: "",
  tokens: 0,
  cost_usd: null,
  latency_ms: 40,
  ...values,
});
const turn = (number: number, values: Partial<Turn> = {}): Turn => ({ number, question: `q${number}`, answer: answer(), error: null, ...values });

test("only questions that were answered are sent along, the last twenty, cut", () => {
  const long = answer({ output: "x".repeat(9000), tracks: Array.from({ length: 600 }, (_, index) => index + 1) });
  const turns = [...Array.from({ length: 25 }, (_, index) => turn(index)), turn(25, { answer: null, error: new Error() }), turn(26, { answer: long })];
  const sent = historyOf(turns);
  expect(sent.length).toBe(20);
  expect(sent[0]?.instruction).toBe("q6");
  expect(sent.at(-1)).toMatchObject({ instruction: "q26", agent: "track" });
  expect(sent.at(-1)?.output.length).toBe(8000);
  expect(sent.at(-1)?.tracks.length).toBe(500);
});

test("numbers of known tracks are parts of their own, and the parts are the text", () => {
  const text = "#12 goes with #7, not #99; #12.";
  const parts = partsOf(text, new Set([12, 7]));
  expect(parts.map(({ track }) => track)).toEqual([12, 0, 7, 0, 12, 0]);
  expect(parts.map((part) => part.text).join("")).toBe(text);
  expect(partsOf("", new Set([1]))).toEqual([]);
  expect(partsOf("#1a #01 #0", new Set([1, 0]))).toEqual([{ text: "#1a #01 #0", track: 0 }]);
});

test("an answer's tracks are those it is about and those of its evidence", () => {
  const evidence = [
    { sentence: "a", source: "t", track: 3, position_s: null },
    { sentence: "b", source: "t", track: null, position_s: null },
  ];
  expect([...tracksOf(answer({ tracks: [1], evidence }))]).toEqual([1, 3]);
});

test("the credit names agent, model, tokens and cost; an unknown cost is not 0", () => {
  expect(creditOf(answer())).toBe("Answered by the agent “Track” · by rules · 0.0 s");
  const worded = { by: "model", model: "m-1", provider: "rig", tokens: 1200, latency_ms: 2440 } as const;
  expect(creditOf(answer(worded))).toBe("Answered by the agent “Track” · worded by m-1, rig · 1,200 tokens · cost unknown · 2.4 s");
  expect(creditOf(answer({ ...worded, cost_usd: 0.00123 }))).toContain("$0.0012");
});

test("each step is a line: before and after", () => {
  const cue = { verb: "library.cue", params: { track: 3, position_s: 62.5, hot_cue: 4, label: "drop 1", kind: "drop", free: true } };
  const memory = { verb: "library.cue", params: { track: 3, position_s: 1, hot_cue: null, kind: "intro" } };
  expect(changesOf({ steps: [cue, memory], details: {} })).toEqual([
    { what: "Hot cue 4", before: "empty", after: "drop 1 at 1:02.5", at: { track: 3, position_s: 62.5 } },
    { what: "Memory cue", before: "not there", after: "intro at 0:01.0", at: { track: 3, position_s: 1 } },
  ]);
  const grid = (details: Record<string, unknown>) => changesOf({ steps: [{ verb: "library.grid", params: { track: 1, shift: 0.5 } }], details });
  expect(grid({ bpm: 124, new_bpm: 62, change: "halve" })).toEqual([{ what: "Tempo", before: "124 BPM", after: "62 BPM" }]);
  expect(grid({ bpm: 124, new_bpm: 124, change: "half beat later" })[0]?.after).toBe("half beat later");
  expect(grid({})[0]?.after).toBe("shift 0.5");
  const list = { verb: "library.playlist_add", params: { name: "x", tracks: ["#1", "#2"] } };
  const named = { appends: true, tracks: [{ id: 1, name: "One" }, { id: 2, name: "Two" }] };
  expect(changesOf({ steps: [list], details: named })).toEqual([{ what: "Playlist “x”", before: "as it is", after: "+ One, Two" }]);
  expect(changesOf({ steps: [list], details: {} })[0]).toEqual({ what: "Playlist “x”", before: "not there", after: "+ #1, #2" });
  const plan = { verb: "mix.save", params: { name: "f", text: "…", was: "" } };
  expect(changesOf({ steps: [plan], details: { tracks: [{}, {}], length_s: 725 } })).toEqual([
    { what: "Mix “f”", before: "not there", after: "2 tracks, 12:05" },
  ]);
});

test("details of any shape, and verbs of a later version, are shown and do no harm", () => {
  const odd = { verb: "library.other", params: { deep: { a: 1 } } };
  expect(changesOf({ steps: [odd], details: {} })).toEqual([{ what: "library.other", before: "", after: 'deep {"a":1}' }]);
  const cue = { verb: "library.cue", params: { track: "x", position_s: "y" } };
  expect(changesOf({ steps: [cue], details: { tracks: 7 } })[0]?.at).toBeUndefined();
  expect(transitionsOf({ audition: "draft-0123456789ab", details: { transitions: [{ number: 1 }, {}, 5, null] } })).toEqual([1]);
  expect(transitionsOf({ audition: "", details: { transitions: [{ number: 1 }] } })).toEqual([]);
});

test("drafts have names of their own", () => {
  expect(isDraft("draft-0123456789ab")).toBe(true);
  for (const name of ["draft-1", "friday", "draft-0123456789abc"]) expect(isDraft(name)).toBe(false);
});
