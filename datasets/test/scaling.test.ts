import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fitScaler, scaleKinds, scaleTable, scaleValues, type Table, unscaleValues } from "../src/index.ts";

function tableOf(values: readonly number[], columns: number): Table {
  const names = Array.from({ length: columns }, (_, i) => `c${i}`);
  return { name: "test", columns: names, rows: values.length / columns, values: Float64Array.from(values) };
}

const finite = fc.double({ min: -1e9, max: 1e9, noNaN: true });
const anyTable = fc
  .tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 30 }))
  .chain(([columns, rows]) =>
    fc
      .array(finite, { minLength: rows * columns, maxLength: rows * columns })
      .map((values) => tableOf(values, columns)),
  );

describe("scaling", () => {
  it("standard: mean 0 and population standard deviation 1, each series by itself", () => {
    const table = tableOf([1, 10, 2, 10, 3, 40], 2);
    const scaler = fitScaler(table, { start: 0, end: 3 }, "standard");
    expect(scaler.center).toEqual([2, 20]);
    expect(scaler.spread[0]).toBeCloseTo(Math.sqrt(2 / 3), 12);
    expect(scaler.spread[1]).toBeCloseTo(Math.sqrt(200), 12);
    expect(scaleTable(table, scaler).values[0]).toBeCloseTo(-1.224744871391589, 12);
  });

  it("min-max: from 0 to 1", () => {
    const table = tableOf([1, 10, 2, 10, 5, 40], 2);
    expect(scaleTable(table, fitScaler(table, { start: 0, end: 3 }, "min-max")).values).toEqual(
      Float64Array.of(0, 0, 0.25, 0, 1, 1),
    );
  });

  it("learns from the rows of its range only", () => {
    const table = tableOf([1, 3, 1000], 1);
    expect(fitScaler(table, { start: 0, end: 2 }, "standard")).toEqual({
      kind: "standard",
      center: [2],
      spread: [1],
    });
    expect(() => fitScaler(table, { start: 2, end: 2 }, "standard")).toThrow("no rows to learn");
  });

  it.each(["standard", "min-max"] as const)("%s: a series that never changes becomes 0", (kind) => {
    const table = tableOf(Array(7).fill(0.1), 1);
    const scaler = fitScaler(table, { start: 0, end: 7 }, kind);
    expect(scaler).toEqual({ kind, center: [0.1], spread: [1] });
    expect(scaleTable(table, scaler).values).toEqual(new Float64Array(7));
  });

  it("refuses values that are no 32-bit numbers when scaled", () => {
    const table = tableOf([1e-30, 2e-30, 1e30], 1);
    const scaler = fitScaler(table, { start: 0, end: 2 }, "standard");
    expect(() => scaleTable(table, scaler)).toThrow(/series ".*": 1e\+30 is too far from the values/);
  });

  it.each(scaleKinds)("%s: is undone by its inverse", (kind) => {
    fc.assert(
      fc.property(anyTable, (table) => {
        const scaler = fitScaler(table, { start: 0, end: table.rows }, kind);
        const back = unscaleValues(scaleValues(table.values, scaler), scaler);
        const largest = table.values.reduce((top, v) => Math.max(top, Math.abs(v)), 0);
        back.forEach((value, i) => {
          expect(Math.abs(value - table.values[i]!)).toBeLessThanOrEqual(1e-12 * largest);
        });
      }),
    );
  });

  it("keeps the type of what it scales, and leaves the original alone", () => {
    const values = Float32Array.of(1, 2);
    const scaled = scaleValues(values, { kind: "standard", center: [1], spread: [2] });
    expect(scaled).toEqual(Float32Array.of(0, 0.5));
    expect(values).toEqual(Float32Array.of(1, 2));
    expect(() => scaleValues(values, { kind: "none", center: [0, 0, 0], spread: [1, 1, 1] })).toThrow(
      "3 series",
    );
  });
});
