import type { Model } from "@espalier/core";
import { forecastingDataOf, loadSynthetic } from "@espalier/datasets";
import { iTransformer } from "@espalier/models";
import { run, type Workbench } from "@espalier/recipe";
import { createRegistry } from "@espalier/recipe/standard";
import type { SearchRequest, SearchSpace } from "../src/index.ts";

const lengths = { inputLength: 12, horizon: 4 };

/** A few hundred rows of two series. */
export const data = forecastingDataOf(await loadSynthetic({ rows: 500, series: 2 }), lengths);

export const registry = createRegistry();

const wasm = registry.backend("wasm");

export const workbench: Workbench = {
  registry,
  data: async () => data,
  backend: async () => wasm,
};

/** A model that has learned something, so that pruning costs something. */
export const model: Model = await run({
  recipe: {
    format: 2,
    steps: [
      {
        do: "train",
        fit: { epochs: 3, batchSize: 16, batchesPerEpoch: 12, learningRate: 0.01, patience: 0 },
      },
    ],
  },
  model: iTransformer({
    ...lengths,
    series: 2,
    width: 8,
    feedForward: 8,
    heads: 2,
    layers: 1,
    dropout: 0.1,
  }).initialize(1),
  workbench,
}).then((outcome) => outcome.model);

/** Few parameters, and recipes that take milliseconds. */
export const space: SearchSpace = {
  parameters: [
    { name: "size", from: 0.25, to: 0.8, log: true },
    { name: "strategy", options: ["unstructured", "channel"] },
    { name: "scope", options: ["global", "local"], when: ({ strategy }) => strategy === "unstructured" },
    { name: "learningRate", from: 0.002, to: 0.02, log: true },
  ],
  seeds: [{ label: "by hand", point: { size: 0.6, strategy: "channel", learningRate: 0.01 } }],
  size: "size",
  recipe: ({ size, strategy, scope, learningRate }, epochs) => ({
    format: 2,
    steps: [
      {
        do: "prune",
        strategy: { use: strategy as string, ...(scope !== undefined && { scope }) },
        target: { bytes: size as number },
        acceptNearest: strategy === "channel",
      },
      {
        do: "tune",
        fit: {
          epochs,
          batchSize: 16,
          batchesPerEpoch: 2,
          learningRate: learningRate as number,
          patience: 0,
        },
      },
    ],
  }),
};

/** A search over that space that takes seconds. */
export const request: SearchRequest = {
  model,
  goal: { minimize: "bytes", error: "+10%" },
  workbench,
  space,
  settings: { epochs: 4, reduction: 2, proposals: 2, windows: 20, repeats: 3, seed: 5 },
  evaluations: 20,
};
