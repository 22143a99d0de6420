/** Words that forms share. */

const number = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
const n = (value: number) => number.format(value).replace("-", "−");

export const words = {
  more: "More options",
  between: (low: number, high: number, unit: string) => `Give ${n(low)} to ${n(high)}${unit ? ` ${unit}` : ""}.`,
  preparing: (count: number) => `${n(count)} ${count === 1 ? "track is" : "tracks are"} prepared first`,
  toPrepare: (count: number) => `${n(count)} ${count === 1 ? "track has" : "tracks have"} to be prepared first:`,
  lacks: (name: string, lacks: string) => `${name}: no ${lacks} yet`,
  goesOn: "The jobs go on when you close this.",
  passedOver: (name: string, why: string) => `Passed over: ${name} ${why}`,
};
