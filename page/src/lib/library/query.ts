/** The words of a search as the page changes them: operators, the order. The server parses them. Pure. */

/** The words, split where the server splits them: at spaces outside quotes. */
export function termsOf(words: string): string[] {
  return words.match(/(?:[^\s"]|"[^"]*"?)+/g) ?? [];
}

const operatorOf = (term: string) => /^-?([a-z]+):/i.exec(term)?.[1]?.toLowerCase() ?? "";

/** Return whether a term is there. */
export function has(words: string, term: string): boolean {
  return termsOf(words).includes(term);
}

/** Return the words with a term that was not there, or without it; others of its operator go. */
export function toggled(words: string, term: string): string {
  const terms = termsOf(words);
  if (terms.includes(term)) return terms.filter((each) => each !== term).join(" ");
  return [...terms.filter((each) => operatorOf(each) !== operatorOf(term)), term].join(" ");
}

/** Return the words with an example of an operator at their end, ready to be changed. */
export function withExample(words: string, example: string): string {
  return [...termsOf(words).filter((each) => operatorOf(each) !== operatorOf(example)), example].join(" ");
}

/** The names between commas, and the operators. */
function partsOf(words: string): { names: string[]; operators: string[] } {
  const operators: string[] = [];
  const names: string[][] = [[]];
  for (const term of termsOf(words)) {
    const bare = term.replace(/,+$/, "");
    if (operatorOf(bare)) operators.push(bare);
    else if (bare) names.at(-1)?.push(bare);
    if (bare !== term) names.push([]);
  }
  return { names: names.map((terms) => terms.join(" ")).filter(Boolean), operators };
}

/** Return whether a name, such as a tag's, is there by itself, between commas. */
export function hasName(words: string, name: string): boolean {
  return partsOf(words).names.some((each) => each.toLowerCase() === name);
}

/** Return the words with a name that was not there, after a comma ("alternative rock" is not "alternative, rock"), or without it. */
export function nameToggled(words: string, name: string): string {
  const { names, operators } = partsOf(words);
  const others = names.filter((each) => each.toLowerCase() !== name);
  if (others.length === names.length) others.push(name);
  return [others.join(", "), ...operators].filter(Boolean).join(" ");
}

/** Return the field of `sort:`; empty without one. */
export function sortOf(words: string): string {
  const found = termsOf(words).find((term) => operatorOf(term) === "sort");
  return found ? (found.startsWith("-") ? "-" : "") + found.replace(/^-?sort:/i, "") : "";
}

/** Return the words sorted by a field; `-` before it reverses it, empty is the usual order. */
export function sortedBy(words: string, field: string): string {
  const rest = termsOf(words).filter((term) => operatorOf(term) !== "sort");
  if (field) rest.push(field.startsWith("-") ? `-sort:${field.slice(1)}` : `sort:${field}`);
  return rest.join(" ");
}

/** Return a value in quotes where it needs them. */
export function quoted(value: string): string {
  return /[\s"]/.test(value) ? `"${value.replaceAll('"', " ")}"` : value;
}

/** Return the words of a list: those of its place in the sidebar and those that were typed. Hits in words have an order of their own. */
export function wordsOf(place: string, typed: string, isMeant = false): string {
  const own: Record<string, string> = { recent: "added:<7d", failed: "state:failed" };
  const terms = [own[place] ?? "", typed.trim()];
  if (place === "recent" && !isMeant && !sortOf(typed)) terms.push("sort:added");
  return terms.filter(Boolean).join(" ");
}

/** The operators of `docs/library.md`, with an example each. */
export const OPERATORS = [
  ["artist", 'artist:"boards of"'],
  ["title", "title:roygbiv"],
  ["album", "album:music"],
  ["genre", "genre:house"],
  ["bpm", "bpm:120-128"],
  ["key", "key:~8A"],
  ["energy", "energy:>0.6"],
  ["year", "year:1994-1999"],
  ["duration", "duration:<6:30"],
  ["added", "added:<7d"],
  ["stems", "stems:yes"],
  ["grid", "grid:check"],
  ["cues", "cues:no"],
  ["rating", "rating:>=4"],
  ["comment", 'comment:"peak time"'],
  ["color", "color:red"],
  ["plays", "plays:0"],
  ["played", "played:<30d"],
  ["state", "state:failed"],
  ["playlist", 'playlist:"Friday night"'],
  ["sort", "sort:played"],
] as const;

export type Operator = (typeof OPERATORS)[number][0];

export const SORTS = ["", "title", "artist", "bpm", "key", "added", "played", "plays", "rating", "energy", "duration", "year"] as const;
