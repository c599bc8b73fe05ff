import type { SweepInput } from "../sweep/config.ts";

/** Real training and all strategies in a few minutes on two cores: the default of `espalier sweep`. */
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
  // Chosen on validation errors (ETTh1, both models, 70 and 90 %): against rates of 0.002 and 0.004, without reconstruction,
  // without distillation, and a constant rate of 0.001.
  reconstruction: { batches: 4 },
  fineTuning: [
    {
      epochs: 1,
      batchesPerEpoch: 60,
      learningRate: 0.008,
      rateSchedule: "cosine",
      warmup: 0.05,
      patience: 0,
      distill: 0.5,
    },
  ],
  backends: ["wasm", "tfjs-wasm", "tfjs-cpu"],
  batchSizes: [1, 8],
  sensitivity: { amounts: [0.5, 0.9], windows: 64 },
  latency: { time: 80, samples: 10 },
};
