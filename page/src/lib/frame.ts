/** One animation frame loop for all that moves by itself: meters, waveforms, playheads. */

/** Is called with the frame's time and the time since the last one, in milliseconds. */
export type Frame = (now_ms: number, elapsed_ms: number) => void;

const frames = new Set<Frame>();
let handle = 0;
let last_ms = 0;

function run(now_ms: number) {
  const elapsed_ms = last_ms ? now_ms - last_ms : 0;
  last_ms = now_ms;
  handle = requestAnimationFrame(run);
  for (const each of frames) each(now_ms, elapsed_ms);
}

/** Call a function on each frame; return what ends that. A hidden page has no frames. */
export function onFrame(frame: Frame): () => void {
  frames.add(frame);
  if (!handle) {
    last_ms = 0;
    handle = requestAnimationFrame(run);
  }
  return () => {
    frames.delete(frame);
    if (!frames.size) {
      cancelAnimationFrame(handle);
      handle = 0;
    }
  };
}

const TICK_MS = 100;
const HALF_FRAME_MS = 8; // a frame that is a little early is the sixth still
const ticks = new Set<Frame>();
let ticked_ms = 0;
let stopTicks: (() => void) | undefined;

function runTicks(now_ms: number) {
  const elapsed_ms = now_ms - ticked_ms;
  if (elapsed_ms < TICK_MS - HALF_FRAME_MS) return;
  ticked_ms = now_ms;
  for (const each of ticks) each(now_ms, elapsed_ms);
}

/** Call a function ten times a second, in the same frames as all others, and in the next one; return what ends that. */
function onTick(tick: Frame): () => void {
  ticks.add(tick);
  ticked_ms = -Infinity;
  stopTicks ??= onFrame(runTicks);
  return () => {
    ticks.delete(tick);
    if (ticks.size) return;
    stopTicks?.();
    stopTicks = undefined;
  };
}

/**
 * Return an attachment that writes a text that runs: a time, a level.
 *
 * The browser lays out, paints and composes the page for each frame in which a text differs, for all of them
 * at once: 1.5 ms. Written as they change, times of two decks and a peak differ in every frame.
 */
export const running = (text: (now_ms: number) => string) => (node: HTMLElement) => {
  const written = node.appendChild(new Text()); // changed in its place; a new one would be styled too
  return onTick((now_ms) => {
    const fresh = text(now_ms);
    if (written.data !== fresh) written.data = fresh;
  });
};
