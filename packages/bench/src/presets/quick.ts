import type { SweepInput } from "../sweep/config.ts";

/** Real training, all strategies, a few minutes on two cores: what `espalier sweep` runs by itself. */
export const quick: SweepInput = {
  name: "quick",
  models: [
    { use: "iTransformer", width: 64, feedForward: 128, heads: 4, layers: 2 },
    { use: "PatchTST", width: 32, feedForward: 64, heads: 4, layers: 2, stride: 16 },
  ],
  datasets: ["synthetic"],
  inputLength: 96,
  horizon: 24,
  strategies: [
    { use: "unstructured" },
    { use: "channel" },
    { use: "head" },
    {
      use: "combined",
      stages: [{ use: "head" }, { use: "channel" }, { use: "unstructured" }],
      weights: [1, 1, 4],
    },
  ],
  targets: [{ sparsity: 0.3 }, { sparsity: 0.5 }, { sparsity: 0.7 }, { sparsity: 0.9 }],
  training: { epochs: 4, learningRate: 0.002, batchesPerEpoch: 60 },
  fineTuning: [{ epochs: 1, learningRate: 0.001, batchesPerEpoch: 60 }],
  backends: ["wasm", "tfjs-wasm", "tfjs-cpu"],
  batchSizes: [1, 8],
  sensitivity: { amounts: [0.3, 0.5, 0.7, 0.9], windows: 128 },
  latency: { time: 120, samples: 10 },
};
