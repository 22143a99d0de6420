import { describe, expect, test } from "vitest";
import { columnOf, CurvesError, parseCurves, peaksIn, scaleOf, secondsOf, stemsOf } from "./curves";

interface Given {
  name: string;
  kind: number;
  square?: boolean;
  columns: number;
  rate_hz: number;
  span: [number, number];
  numbers: number[];
}

/** Write a file of curves as `sfa_engine.track.curves` does. */
function written(given: Given[], version = 1): ArrayBuffer {
  const size = [0, 1, 2, 2, 4];
  const head = 48 + 64 * given.length;
  const starts: number[] = [];
  let end = head;
  for (const table of given) {
    end += -end & 7;
    starts.push(end);
    end += table.numbers.length * size[table.kind]!;
  }
  const view = new DataView(new ArrayBuffer(end));
  [..."SFACURVE"].forEach((letter, k) => view.setUint8(k, letter.charCodeAt(0)));
  view.setUint16(8, version, true);
  view.setUint16(10, given.length, true);
  view.setUint8(16, 0xab);
  given.forEach((table, index) => {
    const at = 48 + 64 * index;
    [...table.name].forEach((letter, k) => view.setUint8(at + k, letter.charCodeAt(0)));
    view.setUint8(at + 24, table.kind);
    view.setUint8(at + 25, table.square ? 1 : 0);
    view.setUint16(at + 26, table.columns, true);
    view.setUint32(at + 28, table.numbers.length / table.columns, true);
    view.setFloat64(at + 32, table.rate_hz, true);
    view.setFloat32(at + 40, table.span[0], true);
    view.setFloat32(at + 44, table.span[1], true);
    view.setBigUint64(at + 48, BigInt(starts[index]!), true);
    table.numbers.forEach((value, k) => {
      const place = starts[index]! + k * size[table.kind]!;
      if (table.kind === 1) view.setUint8(place, value);
      else if (table.kind === 2) view.setUint16(place, value, true);
      else if (table.kind === 3) view.setInt16(place, value, true);
      else view.setUint32(place, value, true);
    });
  });
  return view.buffer as ArrayBuffer;
}

const PEAKS: Given = {
  name: "peaks/drums",
  kind: 1,
  square: true,
  columns: 4,
  rate_hz: 150,
  span: [0, 1],
  numbers: [255, 10, 20, 30, 51, 200, 0, 0, 0, 0, 255, 1],
};
const CENTROID: Given = {
  name: "centroid",
  kind: 2,
  columns: 1,
  rate_hz: 2,
  span: [0, 24_000],
  numbers: [0, 65_535, 32_768],
};
const SPLICES: Given = { name: "splices", kind: 4, columns: 1, rate_hz: 0, span: [0, 2 ** 32 - 1], numbers: [0, 24_000] };

describe("curves", () => {
  test("tables are found by their names, with their values", () => {
    const curves = parseCurves(written([PEAKS, CENTROID, SPLICES]));
    expect(curves.digest.startsWith("ab00")).toBe(true);
    expect(stemsOf(curves)).toEqual(["drums"]);
    const peaks = curves.tables.get("peaks/drums")!;
    expect([peaks.rows, peaks.columns, peaks.rate_hz]).toEqual([3, 4, 150]);
    expect(scaleOf(peaks)(51)).toBeCloseTo(0.04);
    const centroid = columnOf(curves.tables.get("centroid")!);
    expect(centroid[1]).toBeCloseTo(24_000);
    expect(centroid[2]).toBeCloseTo(12_000, -1);
    expect([...secondsOf(curves.tables.get("splices")!)]).toEqual([0, 0.5]);
  });

  test("signed numbers begin at the least of their type", () => {
    const mfcc = { ...CENTROID, name: "mfcc", kind: 3, span: [-1200, 1200] as [number, number], numbers: [-32_768, 32_767] };
    const values = columnOf(parseCurves(written([mfcc])).tables.get("mfcc")!);
    expect([...values]).toEqual([-1200, 1200]);
  });

  test("peaks are the highest of each column, of each band", () => {
    const peaks = parseCurves(written([PEAKS])).tables.get("peaks/drums")!;
    expect([...peaksIn(peaks, 1)]).toEqual([255, 200, 255, 30]);
    expect([...peaksIn(peaks, 3)]).toEqual(PEAKS.numbers);
    expect(peaksIn(peaks, 6)).toHaveLength(24);
  });

  test("what is damaged, cut off or of another version is refused", () => {
    expect(() => parseCurves(new ArrayBuffer(4))).toThrow(CurvesError);
    expect(() => parseCurves(written([PEAKS], 2))).toThrow("version 2");
    const whole = written([PEAKS, CENTROID]);
    expect(() => parseCurves(whole.slice(0, 100))).toThrow("cut off");
    expect(() => parseCurves(whole.slice(0, whole.byteLength - 2))).toThrow("centroid");
    const strange = written([{ ...PEAKS, kind: 1 }]);
    new DataView(strange).setUint8(48 + 24, 9);
    expect(() => parseCurves(strange)).toThrow("type 9");
  });
});
