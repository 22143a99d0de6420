/** Lines that keep coming: the newest are kept, and a view that scrolled up is not moved. Pure. */

export const KEPT = 2000;

/** Return old and new items, the newest `KEPT` of them. */
export function kept<Item>(before: readonly Item[], items: readonly Item[], most = KEPT): readonly Item[] {
  return [...before, ...items].slice(-most);
}

export interface LogLine {
  at_s: number;
  level: string;
  process: string;
  text: string;
}

export const LEVELS = ["debug", "info", "warning", "error"] as const;

/** Return whether a line is of a level that is shown, of a process and with a text. */
export function isShown(line: LogLine, levels: ReadonlySet<string>, process: string, text: string): boolean {
  const level = line.level === "critical" ? "error" : line.level;
  if (!levels.has(level) || (process && line.process !== process)) return false;
  return !text || line.text.toLowerCase().includes(text.toLowerCase());
}
