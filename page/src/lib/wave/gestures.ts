/** Fingers, pen, mouse and wheel on a waveform: one drags, two pinch, the wheel zooms. The page never scrolls. */

export interface WaveTarget {
  readonly mayDrag: boolean;
  begin(): void;
  /** By how many pixels the finger is to the right of where it took hold. */
  drag(dx: number): void;
  end(): void;
  /** Show more (1) or less (-1). */
  zoom(steps: number): void;
}

const TAKE_PX = 6; // less is a tap, which does nothing
const WHEEL_PX = 60; // of a step; a notch of a mouse has 100 to 120
const PINCH = 1.6; // of the distance of two fingers, from one step to the next

/** Return how many steps of zoom two fingers mean that moved apart by a factor: together shows more. */
export function pinchSteps(factor: number): number {
  return factor > 0 ? 0 - Math.trunc(Math.log(factor) / Math.log(PINCH)) : 0;
}

/** Return whole steps of a wheel, and what is left of it. */
export function wheelSteps(sum: number): [steps: number, rest: number] {
  const steps = Math.trunc(sum / WHEEL_PX) + 0; // no negative zero
  return [steps, sum - steps * WHEEL_PX];
}

/** An attachment: `<div {@attach waveGestures(() => ({ … }))}>`. */
export function waveGestures(target: () => WaveTarget) {
  return (node: HTMLElement) => {
    const fingers = new Map<number, number>(); // pointer -> x
    let drag: { id: number; x: number; isHeld: boolean } | null = null;
    let pinch: { distance: number; steps: number } | null = null;
    let wheel = 0;

    const distance = () => {
      const [one = 0, other = 0] = [...fingers.values()];
      return Math.max(1, Math.abs(one - other));
    };
    const stopDrag = () => {
      if (drag?.isHeld) target().end();
      drag = null;
    };
    const down = (event: PointerEvent) => {
      if (event.button !== 0) return;
      fingers.set(event.pointerId, event.clientX);
      node.setPointerCapture(event.pointerId);
      if (fingers.size === 1) drag = { id: event.pointerId, x: event.clientX, isHeld: false };
      else {
        stopDrag();
        pinch = fingers.size === 2 ? { distance: distance(), steps: 0 } : null;
      }
    };
    const move = (event: PointerEvent) => {
      if (!fingers.has(event.pointerId)) return;
      fingers.set(event.pointerId, event.clientX);
      if (pinch) {
        const steps = pinchSteps(distance() / pinch.distance);
        if (steps !== pinch.steps) target().zoom(steps - pinch.steps);
        pinch.steps = steps;
      } else if (drag?.id === event.pointerId) {
        const dx = event.clientX - drag.x;
        if (!drag.isHeld && Math.abs(dx) >= TAKE_PX && target().mayDrag) {
          drag.isHeld = true;
          drag.x = event.clientX;
          target().begin();
        } else if (drag.isHeld) target().drag(dx);
      }
    };
    const up = (event: PointerEvent) => {
      if (!fingers.delete(event.pointerId)) return;
      if (drag?.id === event.pointerId) stopDrag();
      if (fingers.size < 2) pinch = null;
    };
    const roll = (event: WheelEvent) => {
      event.preventDefault();
      const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 40 : 1;
      let steps: number;
      [steps, wheel] = wheelSteps(wheel + (event.deltaY || 0) * unit * (event.ctrlKey ? 4 : 1));
      if (steps) target().zoom(Math.sign(steps));
    };
    node.addEventListener("pointerdown", down);
    node.addEventListener("pointermove", move);
    node.addEventListener("pointerup", up);
    node.addEventListener("pointercancel", up);
    node.addEventListener("lostpointercapture", up);
    node.addEventListener("wheel", roll, { passive: false });
    return () => {
      stopDrag();
      node.removeEventListener("pointerdown", down);
      node.removeEventListener("pointermove", move);
      node.removeEventListener("pointerup", up);
      node.removeEventListener("pointercancel", up);
      node.removeEventListener("lostpointercapture", up);
      node.removeEventListener("wheel", roll);
    };
  };
}
