/** Keys as codes of the Camelot wheel. Pure. */

const TONICS: Record<string, number> = { C: 0, D: 2, E: 4, F: 5, G: 7, A: 9, B: 11 };
const KEY = /^([A-G])([#♯b♭]?)\s+(major|minor)/;

/** Return the Camelot code of a key, `8A` of `A minor`; empty for what is no key. */
export function camelotOf(key: string): string {
  const found = KEY.exec(key);
  if (!found) return "";
  const [, letter = "C", sign = "", mode] = found;
  const shift = sign === "" ? 0 : "#♯".includes(sign) ? 1 : -1;
  const tonic = (TONICS[letter] ?? 0) + shift;
  const major = mode === "minor" ? tonic + 3 : tonic; // of the major key with the same notes
  const fifths = (((major * 7) % 12) + 12) % 12;
  return `${((fifths + 7) % 12) + 1}${mode === "minor" ? "A" : "B"}`;
}
