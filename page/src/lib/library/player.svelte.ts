/**
 * Listening to a track's stems in the browser: an audio element for each, in step. It plays on this
 * device, not on a deck. Plain HTTP is enough.
 */

const APART_S = 0.03; // as far as stems may drift before one is set right
const CHECK_MS = 250;

export class StemPlayer {
  isPlaying = $state(false);
  isWaiting = $state(false);
  position_s = $state(0);
  error = $state("");
  muted = $state.raw<ReadonlySet<string>>(new Set());
  soloed = $state.raw<ReadonlySet<string>>(new Set());
  /** First and last second of a loop that it plays again and again; null: the whole track. */
  within: readonly [number, number] | null = null;

  private elements = new Map<string, HTMLAudioElement>();
  private timer: ReturnType<typeof setInterval> | undefined;
  private frame: number | undefined;

  constructor(
    readonly track: number,
    private readonly stems: readonly string[],
  ) {}

  get first(): HTMLAudioElement | undefined {
    return this.elements.values().next().value;
  }

  /** Whether a stem is audible. */
  isAudible(stem: string): boolean {
    return this.soloed.size ? this.soloed.has(stem) : !this.muted.has(stem);
  }

  async play() {
    this.error = "";
    this.make();
    this.apply();
    this.isWaiting = true;
    for (const element of this.elements.values()) element.currentTime = this.position_s;
    try {
      await Promise.all([...this.elements.values()].map((element) => element.play()));
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") return; // paused meanwhile
      this.error = error instanceof Error ? error.message : String(error);
      this.pause();
      return;
    }
    this.isWaiting = false;
    this.isPlaying = true;
    clearInterval(this.timer);
    this.timer = setInterval(() => this.align(), CHECK_MS);
    this.follow();
  }

  pause() {
    for (const element of this.elements.values()) element.pause();
    if (this.first && this.isPlaying) this.position_s = this.first.currentTime;
    this.isPlaying = false;
    this.isWaiting = false;
    clearInterval(this.timer);
    if (this.frame !== undefined) cancelAnimationFrame(this.frame);
    this.frame = undefined;
  }

  toggle() {
    if (this.isPlaying || this.isWaiting) this.pause();
    else void this.play();
  }

  seek(time_s: number) {
    this.position_s = Math.max(0, time_s);
    for (const element of this.elements.values()) element.currentTime = this.position_s;
  }

  mute(stem: string) {
    this.muted = flipped(this.muted, stem);
    this.apply();
  }

  solo(stem: string) {
    this.soloed = flipped(this.soloed, stem);
    this.apply();
  }

  /** Play one stem alone, or stop if that is what plays. */
  alone(stem: string) {
    const isAlone = this.soloed.size === 1 && this.soloed.has(stem);
    if (isAlone && this.isPlaying) {
      this.pause();
      this.soloed = new Set();
      return;
    }
    this.soloed = new Set([stem]);
    this.apply();
    if (!this.isPlaying) void this.play();
  }

  close() {
    this.pause();
    for (const element of this.elements.values()) {
      element.removeAttribute("src");
      element.load();
    }
    this.elements.clear();
  }

  private make() {
    if (this.elements.size) return;
    for (const stem of this.stems) {
      const element = new Audio(`/files/${this.track}/${stem}`);
      element.preload = "auto";
      element.onended = () => {
        if (element === this.first) {
          this.pause();
          this.position_s = this.within?.[0] ?? 0;
          if (this.within) void this.play();
        }
      };
      element.onerror = () => {
        if (element.src) this.error = element.error?.message || stem;
      };
      this.elements.set(stem, element);
    }
  }

  private apply() {
    for (const [stem, element] of this.elements) element.muted = !this.isAudible(stem);
  }

  /** Stems start and buffer each by itself: those that are apart are set to the first one's time. */
  private align() {
    const first = this.first;
    if (!first) return;
    for (const element of this.elements.values()) {
      if (element !== first && Math.abs(element.currentTime - first.currentTime) > APART_S) {
        element.currentTime = first.currentTime;
      }
    }
  }

  private follow() {
    const step = () => {
      if (!this.isPlaying || !this.first) return;
      this.position_s = this.first.currentTime;
      if (this.within && this.position_s >= this.within[1]) this.seek(this.within[0]);
      this.frame = requestAnimationFrame(step);
    };
    this.frame = requestAnimationFrame(step);
  }
}

function flipped(set: ReadonlySet<string>, word: string): ReadonlySet<string> {
  const made = new Set(set);
  if (!made.delete(word)) made.add(word);
  return made;
}
