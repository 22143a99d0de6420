/** What the engine says of controllers, clocks, the network and tablets. Types, and what is pure. */

import type { ControlInfo } from "./controls";
import { t } from "./strings";
import { captionOf } from "./text";

export interface Port {
  slot: number;
  name: string;
  client: string;
  input: string;
  output: string;
  open: boolean;
  error: string;
  profile: string | null;
  title: string;
  bindings: number;
  lights: number;
  clock_in: boolean;
  clock_out: boolean;
  received: number;
  sent: number;
  dropped: number;
}

export interface Ports {
  driver: string;
  error: string;
  ports: Port[];
}

export interface Profile {
  name: string;
  title: string;
  origin: string;
}

export interface Message {
  device: string;
  time: number;
  hex: string;
  words: string;
  did: string[];
}

export interface Learning {
  device: string;
  words: string;
  hint: string;
}

export interface Learned {
  path: string;
  device: string;
  input: string;
  do: string;
  profile: string;
  saved: string;
  why: string;
  replaces: string[];
}

export interface MapRow {
  control: string;
  group: string;
  message: string;
  certain: boolean;
  does: { when: string; control: string; planned: boolean }[];
}

/** Return what of a controller does each control, without a shift or another layer where there is one. */
export function mappedOf(rows: readonly MapRow[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const row of rows) {
    for (const each of row.does) if (!found.has(each.control)) found.set(each.control, row.message);
  }
  return found;
}

/** Return the controls that can be learned and whose path, label or sentence has all words, by deck and group. */
export function learnable(infos: Iterable<ControlInfo>, search: string): Map<string, ControlInfo[]> {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const groups = new Map<string, ControlInfo[]>();
  for (const info of infos) {
    if (info.planned || info.kind === "text" || !(info.settable || info.kind === "button")) continue;
    const text = `${info.path} ${info.label} ${info.sentence} ${info.group}`.toLowerCase();
    if (!words.every((word) => text.includes(word))) continue;
    const name = groupOf(info);
    const group = groups.get(name);
    if (group) group.push(info);
    else groups.set(name, [info]);
  }
  return groups;
}

/** Return the heading of a control: `Deck 1 · transport`. */
function groupOf({ path, group }: ControlInfo): string {
  const deck = /^deck(\d+)\./.exec(path)?.[1];
  return deck ? `${t.deck(Number(deck))} · ${group}` : captionOf(group);
}
