/**
 * The gesture of everything that slides: faders, knobs, crossfader.
 *
 * A finger anywhere on the strip moves the value by as much as it moves, so a touch alone changes
 * nothing. Dragged away sideways it gets finer, a double tap is the value at rest, and one pointer
 * holds a control at a time: each further finger has its own.
 */

export interface SlideTarget {
  readonly travel: number;
  readonly isEnabled: boolean;
  /** Whether it is still held since `touch`; false when the connection was lost meanwhile. */
  readonly isHeld: boolean;
  touch(): void;
  moveTo(travel: number): void;
  step(steps: number): void;
  release(): void;
  reset(): void;
}

export interface SlideOptions {
  target: SlideTarget;
  axis: "vertical" | "horizontal";
  /** Pixels of the whole travel; without them the element's own length, less its cap. */
  length?: number;
  /** Pixels of the cap, which the travel does not use. */
  cap?: number;
}

const FINE_FROM_PX = 64; // to the side, where the strip ends for sure
const DOUBLE_MS = 350;
const TAP_PX = 8;
const KEYS: Record<string, number> = {
  ArrowUp: 1,
  ArrowRight: 1,
  ArrowDown: -1,
  ArrowLeft: -1,
  PageUp: 10,
  PageDown: -10,
};

/** Return by how much finer a finger moves that is so far to the side: 1 on the strip, 1/10 far away. */
export function fineness(side_px: number): number {
  const away = Math.max(0, Math.abs(side_px) - FINE_FROM_PX);
  return 1 / (1 + Math.min(9, away / 24));
}

/** Return the new travel after a move of the finger. */
export function dragged(travel: number, along_px: number, side_px: number, length_px: number): number {
  return Math.min(1, Math.max(0, travel + (along_px / length_px) * fineness(side_px)));
}

interface Hold {
  id: number;
  travel: number; // without the detent's catch, so that it can be left again
  startX: number;
  startY: number;
  lastX: number;
  lastY: number;
  farthest: number;
}

/** An attachment: `<div {@attach slide(() => ({ … }))}>`. */
export function slide(options: () => SlideOptions) {
  return (node: HTMLElement) => {
    let hold: Hold | undefined;
    let tapped_ms = 0;

    const down = (event: PointerEvent) => {
      const { target } = options();
      if (hold || event.button !== 0 || !target.isEnabled) {
        if (!hold && !target.isEnabled) target.moveTo(target.travel); // says why it does not move
        return;
      }
      event.preventDefault();
      node.focus({ preventScroll: true, focusVisible: false } as FocusOptions); // no ring under a finger
      node.setPointerCapture(event.pointerId);
      const { clientX: x, clientY: y } = event;
      hold = { id: event.pointerId, travel: target.travel, startX: x, startY: y, lastX: x, lastY: y, farthest: 0 };
      target.touch();
    };

    const move = (event: PointerEvent) => {
      if (event.pointerId !== hold?.id) return;
      const { target, axis, length, cap = 0 } = options();
      if (!target.isHeld) {
        hold = undefined;
        return;
      }
      const isVertical = axis === "vertical";
      const along = isVertical ? hold.lastY - event.clientY : event.clientX - hold.lastX;
      const side = isVertical ? event.clientX - hold.startX : event.clientY - hold.startY;
      const whole = length ?? (isVertical ? node.clientHeight : node.clientWidth) - cap;
      hold.lastX = event.clientX;
      hold.lastY = event.clientY;
      hold.farthest = Math.max(hold.farthest, Math.hypot(event.clientX - hold.startX, event.clientY - hold.startY));
      if (!along) return;
      hold.travel = dragged(hold.travel, along, side, Math.max(1, whole));
      target.moveTo(hold.travel);
    };

    const up = (event: PointerEvent) => {
      if (event.pointerId !== hold?.id) return;
      const { target } = options();
      const isTap = hold.farthest < TAP_PX && event.type === "pointerup";
      hold = undefined;
      const isDouble = isTap && event.timeStamp - tapped_ms < DOUBLE_MS;
      tapped_ms = isTap && !isDouble ? event.timeStamp : 0;
      if (isDouble) target.reset();
      target.release();
    };

    const key = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const { target } = options();
      const steps = KEYS[event.key];
      if (steps !== undefined) target.step(event.shiftKey ? steps / 10 : steps);
      else if (event.key === "Home") target.moveTo(0);
      else if (event.key === "End") target.moveTo(1);
      else if (event.key === "Delete" || event.key === "Backspace") target.reset();
      else return;
      event.preventDefault();
      event.stopPropagation();
    };

    node.addEventListener("pointerdown", down);
    node.addEventListener("pointermove", move);
    node.addEventListener("pointerup", up);
    node.addEventListener("pointercancel", up);
    node.addEventListener("lostpointercapture", up);
    node.addEventListener("keydown", key);
    return () => {
      if (hold) options().target.release();
      node.removeEventListener("pointerdown", down);
      node.removeEventListener("pointermove", move);
      node.removeEventListener("pointerup", up);
      node.removeEventListener("pointercancel", up);
      node.removeEventListener("lostpointercapture", up);
      node.removeEventListener("keydown", key);
    };
  };
}
