/** Numbers that are typed into forms. Pure. */

export interface Limits {
  low: number;
  high: number;
  isWhole?: boolean;
}

/** Return a number that was typed; null if nothing was, NaN if it is none within the limits. */
export function typedNumber(text: string, { low, high, isWhole = false }: Limits): number | null {
  const plain = text.trim().replace("−", "-").replace(",", ".");
  if (!plain) return null;
  const value = /^[-+]?(\d+\.?\d*|\.\d+)$/.test(plain) ? Number(plain) : NaN;
  return value >= low && value <= high && (!isWhole || Number.isInteger(value)) ? value : NaN;
}

/** Return whether a field is empty, or has a number within the limits. */
export const isNumberOk = (text: string, limits: Limits) => !Number.isNaN(typedNumber(text, limits));

/** Return the numbers of fields by name, without those that are empty. */
export function typedNumbers(fields: Record<string, [text: string, limits: Limits]>): Record<string, number> {
  const values = Object.entries(fields).map(([name, [text, limits]]) => [name, typedNumber(text, limits)] as const);
  return Object.fromEntries(values.filter((each): each is readonly [string, number] => each[1] !== null));
}
