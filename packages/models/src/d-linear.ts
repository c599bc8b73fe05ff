import {
  add,
  type Builder,
  batch,
  concat,
  defineModel,
  filled,
  type ModelFactory,
  slice,
  swapAxes,
  type Value,
} from "@espalier/core/graph";
import { z } from "zod";
import { decompose } from "./layers/decomposition.ts";
import { linear } from "./layers/linear.ts";
import { lengths, movingAverage } from "./options.ts";

const options = z.strictObject({
  ...lengths,
  movingAverage,
  /** Separate layers for each series, instead of one pair for all. */
  individual: z.boolean().default(false),
});

/** Options of a DLinear; all have defaults. */
export type DLinearOptions = z.input<typeof options>;
type Options = z.output<typeof options>;

/**
 * Two linear layers over time, of the trend and of the rest (Zeng et al., AAAI 2023), following Time-Series-Library:
 * the baseline that transformers are compared with. x_enc [batch, inputLength, series] → output [batch, horizon,
 * series].
 *
 * Prunable: single weights. Both axes of its weights are time, which reaches input and output, so no width can shrink.
 */
export const dLinear: ModelFactory<DLinearOptions> = defineModel({
  name: "DLinear",
  options,
  draw(b: Builder, o: Options) {
    const parts = decompose(b, b.input("x_enc", [batch, o.inputLength, o.series]), o.movingAverage);
    const seasonal = overTime(b, "Linear_Seasonal", swapAxes(b, parts.seasonal, 1, 2), o);
    const trend = overTime(b, "Linear_Trend", swapAxes(b, parts.trend, 1, 2), o);
    return { output: swapAxes(b, add(b, seasonal, trend), 1, 2) };
  },
});

/** x [batch, series, inputLength] → [batch, series, horizon]. Weights start as a mean over the input. */
function overTime(b: Builder, name: string, x: Value, o: Options): Value {
  const start = { initializer: filled(1 / o.inputLength) };
  if (!o.individual) return linear(b, name, x, o.horizon, start);
  const each = Array.from({ length: o.series }, (_, i) =>
    linear(b, `${name}.${i}`, slice(b, x, 1, i, i + 1), o.horizon, start),
  );
  return concat(b, each, 1);
}
