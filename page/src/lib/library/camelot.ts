/** Keys that mix, by their Camelot codes. Pure. */

interface Code {
  hour: number;
  letter: "A" | "B";
}

function codeOf(text: string | null | undefined): Code | null {
  const found = /^(1[0-2]|[1-9])([AB])$/.exec(text ?? "");
  return found ? { hour: Number(found[1]), letter: found[2] as "A" | "B" } : null;
}

/** Return whether two keys mix: the same, a neighbour on the wheel, or the relative one. */
export function fits(one: string | null | undefined, other: string | null | undefined): boolean {
  const [a, b] = [codeOf(one), codeOf(other)];
  if (!a || !b) return false;
  const steps = (a.hour - b.hour + 12) % 12;
  if (a.letter !== b.letter) return steps === 0;
  return steps === 0 || steps === 1 || steps === 11;
}

const MINOR = ["Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "Db"]; // 1A to 12A
const MAJOR = ["B", "F#", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E"];
const SAME: Record<string, string> = { "G#": "Ab", "D#": "Eb", "A#": "Bb", "C#": "Db", Gb: "F#" };

/** Return the Camelot code of a key as the desk writes it: `A minor` is `8A`; null for anything else. */
export function camelotOf(key: string): string | null {
  const found = /^([A-G][#b]?) (minor|major)/.exec(key);
  if (!found) return codeOf(key) ? key : null;
  const tonic = SAME[found[1] ?? ""] ?? found[1] ?? "";
  const hour = (found[2] === "minor" ? MINOR : MAJOR).indexOf(tonic);
  return hour < 0 ? null : `${hour + 1}${found[2] === "minor" ? "A" : "B"}`;
}
