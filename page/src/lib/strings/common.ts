/** Words that several views of the machine share. */

export const common = {
  none: "–",
  undo: "Undo",
  off: "off",
  on: "on",
  yes: "yes",
  no: "no",
  table: "Table",
  chart: "Chart",
  day: "Day",
  newer: "Newest",
  older: "Older",
};
