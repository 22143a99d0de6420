/** The gesture of buttons that count while they are held: down at once, up wherever the finger ends. */

export interface HoldOptions {
  down: () => void;
  up: () => void;
}

/** An attachment: pointer, Space and Enter. Each finger holds its own button. */
export function hold(options: () => HoldOptions) {
  return (node: HTMLElement) => {
    let held: number | "key" | undefined;

    const begin = (by: number | "key") => {
      held = by;
      options().down();
    };
    const end = (by: number | "key") => {
      if (held !== by) return;
      held = undefined;
      options().up();
    };
    const pointerdown = (event: PointerEvent) => {
      if (held !== undefined || event.button !== 0) return;
      node.setPointerCapture(event.pointerId);
      begin(event.pointerId);
    };
    const pointerup = (event: PointerEvent) => end(event.pointerId);
    const isKey = (event: KeyboardEvent) => event.key === " " || event.key === "Enter";
    const keydown = (event: KeyboardEvent) => {
      if (isKey(event) && !event.repeat && held === undefined) begin("key");
    };
    const keyup = (event: KeyboardEvent) => {
      if (isKey(event)) end("key");
    };
    const blur = () => end("key");
    const contextmenu = (event: Event) => event.preventDefault(); // a long touch is no menu

    node.addEventListener("pointerdown", pointerdown);
    node.addEventListener("pointerup", pointerup);
    node.addEventListener("pointercancel", pointerup);
    node.addEventListener("lostpointercapture", pointerup);
    node.addEventListener("keydown", keydown);
    node.addEventListener("keyup", keyup);
    node.addEventListener("blur", blur);
    node.addEventListener("contextmenu", contextmenu);
    return () => {
      if (held !== undefined) options().up();
      node.removeEventListener("pointerdown", pointerdown);
      node.removeEventListener("pointerup", pointerup);
      node.removeEventListener("pointercancel", pointerup);
      node.removeEventListener("lostpointercapture", pointerup);
      node.removeEventListener("keydown", keydown);
      node.removeEventListener("keyup", keyup);
      node.removeEventListener("blur", blur);
      node.removeEventListener("contextmenu", contextmenu);
    };
  };
}
