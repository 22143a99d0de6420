/** Keeps the screen on in performance mode where the browser can; where it cannot, says so. */

import { decks as d } from "../../lib/strings/decks";

class Awake {
  isOn = $state(false);
  /** What is not as it should be; empty while the screen stays on. */
  readonly text = $derived.by(() => {
    if (this.isOn) return "";
    return window.isSecureContext ? d.maySleep : d.mayNotSleep;
  });
  private lock: WakeLockSentinel | null = null;

  /** Ask for the lock; the browser takes it away while the page is hidden. */
  async hold() {
    if (!("wakeLock" in navigator) || document.visibilityState === "hidden") return;
    try {
      this.lock = await navigator.wakeLock.request("screen");
      this.isOn = true;
      this.lock.addEventListener("release", () => (this.isOn = false));
    } catch {
      this.isOn = false; // a low battery
    }
  }

  release() {
    void this.lock?.release();
    this.lock = null;
    this.isOn = false;
  }
}

export const awake = new Awake();
