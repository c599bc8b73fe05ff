import { float32, reference, runModel } from "@espalier/core";
import { describe, expect, it } from "vitest";
import { evaluate } from "../src/index.ts";
import { common, data, inverted } from "./small.ts";

const { horizon, series, count } = data.test;

/** Errors by hand: every forecast and truth, window by window, each in the units asked for. */
async function errors(scaled: boolean, keep: (step: number, series: number) => boolean) {
  const { x, y } = data.test.batch(Array.from({ length: count }, (_, i) => i));
  const inputs = new Map([["x_enc", float32([count, data.test.inputLength, series], x)]]);
  const forecast = (await runModel(inverted, reference, inputs)).get("output")!.data;
  const { center, spread } = data.scaler;
  const unit = (value: number, s: number) => (scaled ? value : value * spread[s]! + center[s]!);
  const differences: number[] = [];
  for (let i = 0; i < y.length; i++) {
    const s = i % series;
    if (keep(Math.floor(i / series) % horizon, s)) differences.push(unit(forecast[i]!, s) - unit(y[i]!, s));
  }
  const mean = (of: (d: number) => number) =>
    differences.reduce((sum, d) => sum + of(d), 0) / differences.length;
  const mse = mean((d) => d * d);
  return { mse, mae: mean(Math.abs), rmse: Math.sqrt(mse) };
}

describe("evaluating a model", () => {
  it("gives the errors of every window, by series and by step, scaled and in original units", async () => {
    const options = { model: inverted, backend: reference, windows: data.test, scaler: data.scaler };
    const metrics = await evaluate({ ...options, batchSize: 7 });
    expect(metrics.windows).toBe(count);
    for (const [own, scaled] of [
      [metrics, true],
      [metrics.original!, false],
    ] as const) {
      const close = async (got: { mse: number }, keep: Parameters<typeof errors>[1]) => {
        for (const [name, value] of Object.entries(await errors(scaled, keep)))
          expect(got[name as "mse"] / value).toBeCloseTo(1, 5);
      };
      await close(own, () => true);
      for (let s = 0; s < series; s++) await close(own.series[s]!, (_, at) => at === s);
      for (let h = 0; h < horizon; h++) await close(own.steps[h]!, (at) => at === h);
    }
    expect((await evaluate({ ...options, batchSize: 64 })).mse).toBeCloseTo(metrics.mse, 6);
  });

  it("refuses an empty set, and stops when it is told to", async () => {
    const options = { model: inverted, backend: reference, windows: { ...data.test, count: 0 } };
    await expect(evaluate(options)).rejects.toThrow(/no window to evaluate/);
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(evaluate({ ...options, windows: common.validation, signal })).rejects.toThrow("enough");
  });
});
