import { type Backend, type Model, randomInputs, runModel } from "@espalier/core";
import { evaluate, forecastingDataFor, type Metrics } from "@espalier/training";
import type { Context } from "../context.ts";
import type { DataOptions } from "../options/groups.ts";
import type { Bar } from "../output/progress.ts";
import { loadSourceFor } from "./data.ts";
import { showEvaluation } from "./fitting.ts";

/** The effect of rounding a model's weights: on test errors, or on outputs if there is no data. */
export type Rounding = ErrorChange | OutputChange;

export interface ErrorChange {
  readonly measured: "test";
  readonly data: string;
  readonly before: Metrics;
  readonly after: Metrics;
}

export interface OutputChange {
  readonly measured: "outputs";
  /** Why the test error was not measured. */
  readonly reason: string;
  readonly samples: number;
  /** Largest change of an output value divided by the largest value of that output; the maximum over all outputs. */
  readonly change: number;
}

interface Pair {
  readonly before: Model;
  readonly after: Model;
  readonly backend: Backend;
}

/** Test errors with both weights. Throws an EspalierError if there is no data or it does not fit the model. */
export async function errorChange(
  { before, after, backend }: Pair,
  options: DataOptions,
  context: Context,
  bar: Bar,
): Promise<ErrorChange> {
  const source = await loadSourceFor(before, options, context, bar);
  const { test, scaler, name } = forecastingDataFor(before, source, { splits: options.splits });
  const measure = (model: Model, label: string) =>
    evaluate({
      model,
      backend,
      windows: test,
      scaler,
      signal: context.signal,
      onProgress: showEvaluation(bar, label),
    });
  return {
    measured: "test",
    data: name,
    before: await measure(before, "test float32"),
    after: await measure(after, "test float16"),
  };
}

/** Number of random inputs: values in [−1, 1), indices 0. */
const samples = 16;

export async function outputChange({ before, after, backend }: Pair, reason: string): Promise<OutputChange> {
  const inputs = randomInputs(before, samples);
  const exact = await runModel(before, backend, inputs);
  const rounded = await runModel(after, backend, inputs);
  let change = 0;
  for (const [name, { data }] of exact) {
    const other = rounded.get(name)!.data;
    let [most, off] = [0, 0];
    data.forEach((value, i) => {
      most = Math.max(most, Math.abs(value));
      off = Math.max(off, Math.abs(other[i]! - value));
    });
    if (off > 0) change = Math.max(change, off / most);
  }
  return { measured: "outputs", reason, samples, change };
}
