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
