/** The desk's labels as the page writes them: `KEYLOCK` is "Keylock". Pure. */

const KEPT = new Set(["BPM", "CUE", "EQ", "FX", "FX1", "FX2", "LED", "MIDI", "OK", "PLAY", "VU", "XF"]);

/** Return a label of the desk in small letters; CUE, PLAY and abbreviations stay. */
export function worded(label: string): string {
  const words = label.split(" ").map((word, index) => {
    if (KEPT.has(word) || /\d/.test(word)) return word;
    const small = word.toLowerCase();
    return index ? small : small.charAt(0).toUpperCase() + small.slice(1);
  });
  return words.join(" ");
}

/** Return a number of beats as musicians write it: `1/4`, `4`. */
export function beatsText(beats: number): string {
  if (beats >= 1 || beats <= 0) return String(Math.round(beats * 100) / 100);
  return `1/${Math.round(1 / beats)}`;
}
