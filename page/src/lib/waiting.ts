/** Waiting for what runs elsewhere: it is asked about again and again until it is over. */

import { CallError } from "./channel";

const PERIOD_MS = 700;

/**
 * Ask until an answer says that it is over; return what ends that before.
 *
 * Without a connection nothing is known, and it is asked again; any other error is the end.
 */
export function askUntil<Found>(
  ask: () => Promise<Found>,
  isOver: (found: Found) => boolean,
  onfailed: (error: unknown) => void,
): () => void {
  let isEnded = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  async function step() {
    try {
      const found = await ask();
      if (isEnded || isOver(found)) return;
    } catch (failure) {
      if (isEnded) return;
      if (!(failure instanceof CallError) || !["offline", "lost", "timeout"].includes(failure.code)) return onfailed(failure);
    }
    timer = setTimeout(() => void step(), PERIOD_MS);
  }
  void step();
  return () => {
    isEnded = true;
    clearTimeout(timer);
  };
}
