/** What is marked on a deck: the bank of hot cues as it is now, and the rest as the library has it. */

import { desk, usePaths } from "../desk.svelte";
import { deckTrack } from "../decktracks.svelte";
import { markersOf, type LiveCue, type Marker } from "./markers";

const CUES = 8; // of a bank
const PARTS = ["position", "end", "label", "color"];

/** Return the markers of a deck, followed as long as the component lives. */
export function useMarkers(deck: () => number): { readonly current: readonly Marker[] } {
  const slots = $derived.by(() => {
    const bank = Math.max(1, desk.control(`deck${deck()}.hotcue_bank`).number);
    return Array.from({ length: CUES }, (_, index) => (bank - 1) * CUES + index + 1);
  });
  usePaths(() => [
    `deck${deck()}.hotcue_bank`,
    ...slots.flatMap((slot) => PARTS.map((part) => `deck${deck()}.hotcue${slot}.${part}`)),
  ]);
  const current = $derived.by(() => {
    if (!desk.control(`deck${deck()}.loaded`).isOn) return [];
    const live = slots.map((slot): LiveCue => {
      const cue = (part: string) => desk.control(`deck${deck()}.hotcue${slot}.${part}`);
      const time = (part: string) => {
        const value = cue(part).value;
        return typeof value === "number" ? value : null;
      };
      return { slot, position_s: time("position"), end_s: time("end"), label: cue("label").text, color: cue("color").text };
    });
    return markersOf(deckTrack(deck()).info, live);
  });
  return {
    get current() {
      return current;
    },
  };
}
