import { type Model, reference } from "@espalier/core";
import { forecastingDataOf, loadSynthetic } from "@espalier/datasets";
import { iTransformer } from "@espalier/models";
import { createRegistry } from "@espalier/recipe/standard";
import type { Recipe, Workbench } from "../../src/index.ts";

const lengths = { inputLength: 12, horizon: 4 };

/** A few hundred rows of three series. */
export const data = forecastingDataOf(await loadSynthetic({ rows: 220, series: 3 }), lengths);

/** With dropout, so that seeds matter. */
export const model: Model = iTransformer({
  ...lengths,
  series: 3,
  width: 8,
  feedForward: 12,
  heads: 2,
  layers: 1,
  dropout: 0.2,
}).initialize(1);

/** Runs on the reference backend. */
export const workbench: Workbench = {
  registry: createRegistry(),
  data: async () => data,
  backend: async () => reference,
};

/** Short, with a rate that changes the weights. */
export const fit = { epochs: 2, batchSize: 8, batchesPerEpoch: 3, learningRate: 0.01, patience: 0 };

/** Every kind of step but `apply`. */
export const long: Recipe = {
  format: 2,
  target: { sparsity: 0.7 },
  seed: 3,
  steps: [
    { do: "train", fit },
    {
      do: "prune",
      strategy: { use: "channel" },
      target: { flops: 0.8 },
      acceptNearest: true,
      reconstruct: { batches: 2 },
    },
    { do: "tune", fit, distill: 0.5 },
    { do: "tune", fit, masks: { strategy: { use: "unstructured" }, until: 0.5, every: 1 } },
  ],
};
