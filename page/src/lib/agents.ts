/** Answers of agents and what they propose, as `agents.ask` and `proposals.*` give them. Pure. */

import { words } from "./strings/agents";
import { clockText } from "./text";

export interface Evidence {
  sentence: string;
  source: string;
  track: number | null;
  position_s: number | null;
}

export interface AgentAnswer {
  output: string;
  agent: string;
  by: "rules" | "model";
  evidence: Evidence[];
  proposals: { id: number }[];
  tracks: number[];
  questions: string[];
  notes: string[];
  model: string;
  provider: string;
  tokens: number;
  cost_usd: number | null;
  latency_ms: number;
}

/** A question and what became of it. */
export interface Turn {
  number: number;
  question: string;
  answer: AgentAnswer | null;
  error: unknown;
}

export type ProposalState = "open" | "applying" | "applied" | "dropped" | "undoing" | "undone" | "failed";

/** A row of `proposals.list`. */
export interface ListedProposal {
  id: number;
  agent: string;
  kind: string;
  state: ProposalState;
  title: string;
  reason: string;
  tracks: number[];
  audition: string;
  note: string;
  created_s: number;
  changed_s: number;
}

export interface Step {
  verb: string;
  params: Record<string, unknown>;
}

/** What `proposals.show` returns. */
export interface ShownProposal extends ListedProposal {
  steps: Step[];
  details: Record<string, unknown>;
  /** Why it does not fit any more; empty if it does. */
  stale?: string;
}

export interface Change {
  what: string;
  before: string;
  after: string;
  /** Where to listen to it: a place of a track. */
  at?: { track: number; position_s: number };
}

const MAX_HISTORY = 20; // questions and answers that are sent along
const MAX_OUTPUT = 8000; // characters of one
const MAX_TRACKS = 500; // of one
const MAX_NAMES = 6; // of a playlist's new tracks
export const MAX_QUESTION = 2000; // characters

/** Return the earlier questions as `agents.ask` takes them: those that were answered. */
export function historyOf(turns: readonly Turn[]) {
  return turns
    .flatMap(({ question, answer }) => (answer ? [{ question, answer }] : []))
    .slice(-MAX_HISTORY)
    .map(({ question, answer }) => ({
      instruction: question,
      output: answer.output.slice(0, MAX_OUTPUT),
      agent: answer.agent,
      tracks: answer.tracks.slice(0, MAX_TRACKS),
    }));
}

export interface Part {
  text: string;
  /** The track that it names; 0 for words. */
  track: number;
}

/** Return a text in parts: numbers of tracks, as `#12`, are parts of their own if they are known. */
export function partsOf(text: string, tracks: ReadonlySet<number>): Part[] {
  const parts: Part[] = [];
  let end = 0;
  for (const found of text.matchAll(/#([1-9]\d{0,14})\b/g)) {
    const track = Number(found[1]);
    if (!tracks.has(track)) continue;
    if (found.index > end) parts.push({ text: text.slice(end, found.index), track: 0 });
    end = found.index + found[0].length;
    parts.push({ text: found[0], track });
  }
  if (end < text.length) parts.push({ text: text.slice(end), track: 0 });
  return parts;
}

/** Return the tracks that an answer names. */
export function tracksOf(answer: AgentAnswer): ReadonlySet<number> {
  return new Set([...answer.tracks, ...answer.evidence.flatMap(({ track }) => (track === null ? [] : [track]))]);
}

/** Return who answered, and what it cost. */
export function creditOf(answer: AgentAnswer): string {
  const agent = words.agents[answer.agent] ?? answer.agent;
  const parts = [words.answeredBy(agent)];
  if (answer.by === "model") {
    parts.push(words.byModel(answer.model, answer.provider), words.tokens(answer.tokens), words.cost(answer.cost_usd));
  } else parts.push(words.byRules);
  parts.push(words.seconds(answer.latency_ms));
  return parts.join(" · ");
}

const numberIn = (value: unknown): number | null => (typeof value === "number" && Number.isFinite(value) ? value : null);
const textIn = (value: unknown): string => (typeof value === "string" ? value : "");
const listIn = (value: unknown): Record<string, unknown>[] =>
  Array.isArray(value) ? value.filter((each): each is Record<string, unknown> => typeof each === "object" && each !== null) : [];

/** Return what a proposal changes: before and after, a line for each. */
export function changesOf({ steps, details }: Pick<ShownProposal, "steps" | "details">): Change[] {
  return steps.map((step) => (CHANGES[step.verb] ?? otherChange)(step, details));
}

const CHANGES: Record<string, (step: Step, details: Record<string, unknown>) => Change> = {
  "library.cue": cueChange,
  "library.grid": gridChange,
  "library.playlist_add": playlistChange,
  "mix.save": planChange,
  "mix.plan": planChange,
};

function cueChange({ params }: Step): Change {
  const slot = numberIn(params["hot_cue"]);
  const position_s = numberIn(params["position_s"]) ?? 0;
  const track = numberIn(params["track"]);
  return {
    what: slot === null ? words.memoryCue : words.hotCue(slot),
    before: slot === null ? words.notThere : words.empty,
    after: words.cueAt(textIn(params["label"]) || textIn(params["kind"]) || words.kinds["cues"] || "", clockText(position_s)),
    ...(track !== null && { at: { track, position_s } }),
  };
}

function gridChange({ params }: Step, details: Record<string, unknown>): Change {
  const [bpm, after] = [numberIn(details["bpm"]), numberIn(details["new_bpm"])];
  if (bpm !== null && after !== null && bpm !== after) {
    return { what: words.tempo, before: words.bpm(bpm), after: words.bpm(after) };
  }
  const given = Object.entries(params)
    .filter(([name]) => name !== "track")
    .map(([name, value]) => `${name} ${String(value)}`);
  return { what: words.beats, before: words.beatsNow, after: textIn(details["change"]) || given.join(", ") };
}

function playlistChange({ params }: Step, details: Record<string, unknown>): Change {
  const given = Array.isArray(params["tracks"]) ? params["tracks"].map(String) : [];
  const named = listIn(details["tracks"]).map((each) => textIn(each["name"]));
  const names = named.length === given.length ? named : given;
  const isAdded = details["appends"] === true;
  return {
    what: words.playlist(textIn(params["name"])),
    before: isAdded ? words.asItIs : words.notThere,
    after: words.added(names.slice(0, MAX_NAMES), names.length - MAX_NAMES),
  };
}

function planChange({ params }: Step, details: Record<string, unknown>): Change {
  const tracks = listIn(details["tracks"]);
  const length_s = numberIn(details["length_s"]);
  const isThere = textIn(params["was"]) !== "" || params["replace"] === true;
  return {
    what: words.plan(textIn(params["name"])),
    before: isThere ? words.asItIs : words.notThere,
    after: words.planned(tracks.length, length_s === null ? "" : clockText(length_s, 0)),
  };
}

function otherChange({ verb, params }: Step): Change {
  const after = Object.entries(params)
    .map(([name, value]) => `${name} ${JSON.stringify(value)}`)
    .join(", ");
  return { what: words.step(verb), before: "", after: after.slice(0, 200) };
}

/** Return the numbers of the transitions of a proposal that can be heard. */
export function transitionsOf({ audition, details }: Pick<ShownProposal, "audition" | "details">): number[] {
  if (!audition) return [];
  return listIn(details["transitions"]).flatMap((each) => numberIn(each["number"]) ?? []);
}

/** Whether a plan's name is that of a draft, which an agent has made. */
export const isDraft = (name: string) => /^draft-[0-9a-f]{12}$/.test(name);
