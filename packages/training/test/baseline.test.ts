import { forecastingDataOf, loadSynthetic, type Table } from "@espalier/datasets";
import { describe, expect, it } from "vitest";
import { baselines, compared, ErrorSums } from "../src/index.ts";

const source = await loadSynthetic({ rows: 60, series: 1 });
/** Rows of two series: a ramp, and one that repeats 0, 1, 2, 3. */
const table: Table = {
  ...source.table,
  columns: ["ramp", "wave"],
  values: Float64Array.from({ length: 120 }, (_, i) => (i % 2 === 0 ? i / 2 : Math.floor(i / 2) % 4)),
};
const lengths = { inputLength: 8, horizon: 4, scale: "none", splits: { rows: [40, 10, 10] } } as const;
const data = forecastingDataOf({ ...source, table }, lengths);

describe("forecasts that need no model", () => {
  it("are the last value, and the season before", () => {
    const { last, seasonal } = baselines(data.test, { season: 4 });
    // The ramp is 1, 2, 3, 4 above its last value, and 4 above the season before.
    expect(last.series[0]).toMatchObject({ mae: 2.5, mse: 7.5 });
    expect(last.steps.map(({ mae }) => mae)[0]).toBeGreaterThan(0);
    expect(seasonal!.season).toBe(4);
    expect(seasonal!.errors.series.map(({ mae }) => mae)).toEqual([4, 0]);
  });

  it("go without a season that the window does not hold", () => {
    expect(baselines(data.test, { season: 24 }).seasonal).toBeUndefined();
  });

  it("are the measure of a model: MASE is its error in units of the season before's in training", () => {
    const sums = new ErrorSums(4, 2);
    for (let i = 0; i < data.test.count; i++) {
      const { y } = data.test.batch([i]);
      sums.add(
        y.map((value, k) => value + (k % 2 === 0 ? 2 : 0)),
        y,
      );
    }
    // Hours have a season of 24 rows, over which the ramp rises by 24 and the wave does not change.
    const { season, mase } = compared(sums.metrics(data.scaler), data.test, data);
    expect(season).toBe(24);
    expect(mase.model.series[0]).toBeCloseTo(2 / 24, 12);
    expect(mase.model.series[1]).toBeNaN();
    expect(mase.model.all).toBeCloseTo(2 / 24, 12);
    expect(mase.last.series[0]).toBeCloseTo(2.5 / 24, 12);
  });
});
