import { describe, expect, it } from "vitest";
import { loadSynthetic, synthetic, type Table } from "../src/index.ts";

/** Mean squared error of forecasting each value by another row's, over the last fifth of the table. */
function error(table: Table, target: number, from: (row: number) => number, source = target): number {
  const at = (row: number, s: number) => table.values[row * table.columns.length + s]!;
  let sum = 0;
  const first = Math.floor(table.rows * 0.8);
  for (let row = first; row < table.rows; row++) sum += (at(row, target) - at(from(row), source)) ** 2;
  return sum / (table.rows - first);
}

describe("the synthetic series", () => {
  it("are the same numbers for the same options, and others for another seed", async () => {
    const first = await loadSynthetic();
    expect(first.checksum).toBe("63a89875bf09501491bb772677658770cce70af856bc20de8c999b976c6489d2");
    expect((await loadSynthetic()).checksum).toBe(first.checksum);
    expect((await loadSynthetic({ seed: 2 })).checksum).not.toBe(first.checksum);
    expect(synthetic({ rows: 10 }).values).toEqual(synthetic({ rows: 20 }).values.slice(0, 70));
  });

  it("are hourly, seven, and with dates", () => {
    const table = synthetic();
    expect(table).toMatchObject({ rows: 4000, step: { label: "1 h" } });
    expect(table.columns).toHaveLength(7);
    expect(new Date(table.timestamps![0]!).toISOString()).toBe("2024-01-01T00:00:00.000Z");
    expect(table.values.every(Number.isFinite)).toBe(true);
  });

  it("reward who knows the seasons: a week ago is far nearer than now, 12 hours ahead", () => {
    const table = synthetic();
    table.columns.forEach((_, s) => {
      expect(error(table, s, (row) => row - 168)).toBeLessThan(0.4 * error(table, s, (row) => row - 12));
    });
  });

  it("refuse sizes that make no sense", () => {
    expect(() => synthetic({ series: 0 })).toThrow('synthetic: option "series"');
    expect(() => synthetic({ rows: 1e12 })).toThrow('synthetic: option "rows"');
  });
});
