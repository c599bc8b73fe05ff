import { type Backend, EspalierError, type Model, randomInputs, runModel } from "@espalier/core";
import type { ForecastingData } from "@espalier/datasets";
import { roundWeights, type StoredWeights } from "@espalier/formats";
import { evaluate, type Metrics } from "@espalier/training";
import type { Context } from "../context.ts";
import type { Bar } from "../output/progress.ts";
import { showEvaluation } from "./fitting.ts";

/** The effect of rounding a model's weights: on test errors, or on outputs if there is no data. */
export type Rounding = { readonly weights: StoredWeights } & (ErrorChange | OutputChange);

interface ErrorChange {
  readonly measured: "test";
  readonly data: string;
  readonly before: Metrics;
  readonly after: Metrics;
}

interface OutputChange {
  readonly measured: "outputs";
  /** The reason why the test error was not measured. */
  readonly reason: string;
  readonly samples: number;
  /** Largest change of an output value divided by the largest value of that output; the maximum over all outputs. */
  readonly change: number;
}

/** A model to round. */
export interface RoundingRequest {
  readonly model: Model;
  readonly weights: StoredWeights;
  readonly backend: Backend;
  readonly data: () => Promise<Pick<ForecastingData, "name" | "test" | "scaler">>;
  /** Whether the user named the data: an error then if it is not available. */
  readonly named: boolean;
  /** The model's test errors, if they are known. */
  readonly before?: Metrics | undefined;
}

/**
 * Rounds a model's weights and measures the effect. Falls back to comparing outputs if the data is known only from the
 * model's metadata and is not available.
 */
export async function measureRounding(
  request: RoundingRequest,
  context: Context,
  bar: Bar,
): Promise<Rounding> {
  const { model, weights, backend, named } = request;
  const rounded = roundWeights(model, weights);
  try {
    return { weights, ...(await errorChange(request, rounded, context, bar)) };
  } catch (error) {
    if (named || !(error instanceof EspalierError)) throw error;
    return { weights, ...(await outputChange(model, rounded, backend, error.message)) };
  }
}

/** Test errors with both weights. Throws an EspalierError if there is no data or it does not fit the model. */
async function errorChange(
  { model, weights, backend, data, before }: RoundingRequest,
  rounded: Model,
  context: Context,
  bar: Bar,
): Promise<ErrorChange> {
  const { test, scaler, name } = await data();
  const measure = (one: Model, label: string) =>
    evaluate({
      model: one,
      backend,
      windows: test,
      scaler,
      signal: context.signal,
      onProgress: showEvaluation(bar, label),
    });
  return {
    measured: "test",
    data: name,
    before: before ?? (await measure(model, "test float32")),
    after: await measure(rounded, `test ${weights}`),
  };
}

/** Number of random inputs: values in [−1, 1), indices 0. */
const samples = 16;

async function outputChange(
  model: Model,
  after: Model,
  backend: Backend,
  reason: string,
): Promise<OutputChange> {
  const inputs = randomInputs(model, samples);
  const exact = await runModel(model, backend, inputs);
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
