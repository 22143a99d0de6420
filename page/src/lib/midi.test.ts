import { expect, test } from "vitest";

import type { ControlInfo } from "./controls";
import { learnable, mappedOf } from "./midi";

const info = (path: string, kind: ControlInfo["kind"], settable: boolean, planned = false) =>
  ({ path, kind, settable, planned, label: path, sentence: "", group: "transport" }) as ControlInfo;

test("what can be set or pressed can be learned", () => {
  const all = [
    info("deck1.fader", "fader", true),
    info("deck1.level", "meter", false),
    info("deck1.cue", "button", false),
    info("deck1.later", "fader", true, true),
    info("deck1.title", "text", true),
  ];
  const found = learnable(all, "");
  expect(found.get("Deck 1 · transport")?.map((each) => each.path)).toEqual(["deck1.fader", "deck1.cue"]);
  expect(learnable(all, "FADER deck1").get("Deck 1 · transport")).toHaveLength(1);
  expect(learnable(all, "nothing").size).toBe(0);
});

test("a control is marked with what does it, the first of two", () => {
  const row = (message: string, control: string) => ({ control: "", group: "", message, certain: true, does: [{ when: "", control, planned: false }] });
  const found = mappedOf([row("CC 23", "deck1.filter"), row("CC 99", "deck1.filter"), row("note 11", "deck1.play")]);
  expect([...found]).toEqual([["deck1.filter", "CC 23"], ["deck1.play", "note 11"]]);
});
