/** The toast: one line, one action, six seconds, one at a time. */

const SHOWN_MS = 6000;
const SAME_MS = 2000; // an error that a moving fader repeats is shown once

export interface ToastMessage {
  text: string;
  tone: "plain" | "ok" | "bad";
  action?: { label: string; run: () => void };
}

class Toasts {
  current = $state.raw<ToastMessage | null>(null);
  private timer: ReturnType<typeof setTimeout> | undefined;
  private last = { text: "", at: 0 };

  show(text: string, tone: ToastMessage["tone"] = "plain", action?: ToastMessage["action"]) {
    const now = Date.now();
    if (text === this.last.text && now - this.last.at < SAME_MS) return;
    this.last = { text, at: now };
    clearTimeout(this.timer);
    this.current = action ? { text, tone, action } : { text, tone };
    this.timer = setTimeout(() => this.dismiss(), SHOWN_MS);
  }

  dismiss() {
    clearTimeout(this.timer);
    this.current = null;
  }
}

export const toasts = new Toasts();
