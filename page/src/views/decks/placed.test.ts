import { expect, test } from "vitest";

import { isPlaced, unplaced } from "./placed";

const info = (path: string, group: string) => ({ path, group, kind: "fader" });

test("a control that the view does not know is in the panel of its group", () => {
  const infos = [info("deck1.play", "transport"), info("deck1.warp", "tempo"), info("deck2.warp", "tempo")];
  expect(unplaced([...infos, info("master.width", "mixer")], 1)).toEqual([{ group: "tempo", paths: ["deck1.warp"] }]);
  expect(unplaced([...infos, info("master.width", "mixer")], null)).toEqual([
    { group: "mixer", paths: ["master.width"] },
  ]);
});

test("a star is one name, not several", () => {
  expect(isPlaced("deck2.stem.vocals.mute")).toBe(true);
  expect(isPlaced("deck2.stem.vocals.pan")).toBe(false);
  expect(isPlaced("pad64.hit")).toBe(true);
  expect(isPlaced("deck1.hotcue32.kind")).toBe(true);
});
