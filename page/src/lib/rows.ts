/** Which rows of a virtual list are drawn. Pure. */

export interface Span {
  first: number;
  end: number;
}

/** Return the rows that are seen, and some before and after, more in the direction of the movement. */
export function spanOf(
  scroll_px: number,
  height_px: number,
  row_px: number,
  count: number,
  overscan: number,
  direction: number,
): Span {
  const before = direction < 0 ? overscan * 2 : overscan;
  const after = direction > 0 ? overscan * 2 : overscan;
  const first = Math.floor(scroll_px / row_px) - before;
  const end = Math.ceil((scroll_px + height_px) / row_px) + after;
  const from = Math.min(Math.max(0, first), count);
  return { first: from, end: Math.max(from, Math.min(count, end)) };
}

/** Return the scroll that shows a row, or the present one if it is seen already. */
export function scrollFor(row: number, scroll_px: number, height_px: number, row_px: number): number {
  const top = row * row_px;
  if (top < scroll_px) return top;
  if (top + row_px > scroll_px + height_px) return top + row_px - height_px;
  return scroll_px;
}
