/** What fader, crossfader and knob say of themselves: to screen readers, to tests, and on hover. */

import type { Control } from "../desk.svelte";

/** Return the attributes of an element that slides a control. */
export function sliderOf(control: Control, orientation: "vertical" | "horizontal", label: string | undefined) {
  return {
    role: "slider",
    tabindex: 0,
    "aria-label": label ?? control.name,
    "aria-orientation": orientation,
    "aria-valuemin": control.info?.low ?? 0,
    "aria-valuemax": control.info?.high ?? 1,
    "aria-valuenow": control.number,
    "aria-valuetext": control.shown,
    "aria-disabled": !control.isEnabled,
    title: control.info?.sentence,
    "data-control": control.path,
  } as const;
}
