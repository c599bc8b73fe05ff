import type { SweepInput } from "../sweep/config.ts";

/** What differs between the preset and its full widths. */
interface Scale {
  readonly name: string;
  readonly note?: string;
  readonly width: number;
  readonly feedForward: number;
  readonly training: SweepInput["training"];
  readonly fineTuning: NonNullable<SweepInput["fineTuning"]>[number];
  readonly evaluationWindows?: number;
  readonly sensitivityWindows: number;
  readonly multipleOf: number;
  readonly timed: readonly number[];
}

/**
 * SEDIMARK's pruning of its Crossformer: window 24 → 24, segments of 2, merge window 4, factor 10, 8 heads, 3 blocks, dropout
 * 0.2, min-max scaling, on the air quality of Helsinki that its repository ships. Unstructured by weight statistics
 * (WSAP; at 50 % sparsity its published ratios), channels, and both. Twice: as its code executes it, where no encoder
 * block reaches the output, and connected as the paper has it.
 */
function sweep(scale: Scale): SweepInput {
  const { name, note, width, feedForward, training, fineTuning, evaluationWindows, multipleOf, timed } =
    scale;
  const model = { use: "SedimarkCrossformer", width, feedForward, heads: 8 };
  const channel = { use: "channel", multipleOf };
  const unstructured = { use: "unstructured", criterion: "wsap" };
  return {
    name,
    ...(note === undefined ? {} : { note }),
    models: [
      { ...model, variant: "asPublished", label: "SEDIMARK Crossformer as published" },
      { ...model, variant: "connected", label: "SEDIMARK Crossformer connected" },
    ],
    datasets: ["helsinki_air_quality"],
    inputLength: 24,
    horizon: 24,
    scale: "min-max",
    ...(evaluationWindows === undefined ? {} : { evaluationWindows }),
    strategies: [
      { ...unstructured, label: "unstructured (WSAP)" },
      { ...channel, label: "channel" },
      { use: "combined", stages: [channel, unstructured], label: "combined" },
    ],
    targets: [{ sparsity: 0.3 }, { sparsity: 0.5 }, { sparsity: 0.8 }, { sparsity: 0.9 }],
    training,
    fineTuning: [{ epochs: 0 }, fineTuning],
    backends: ["wasm", "tfjs-wasm"],
    batchSizes: [1, 32],
    timedTargets: timed.map((sparsity) => ({ sparsity })),
    latency: { time: 100, samples: 7 },
    sensitivity: { amounts: [0.5, 0.9], windows: scale.sensitivityWindows },
  };
}

/** A quarter of the width, few steps, some of the windows: about ten minutes of processor time. */
export const sedimark: SweepInput = sweep({
  name: "SEDIMARK's Crossformer",
  note:
    "Reduced: width 64 and feed-forward 128 instead of 256 and 512, 120 training steps, 40 of fine-tuning, and 200 of the windows of validation and " +
    "of test, evenly spaced. The preset sedimark-full has the published widths and every window.",
  width: 64,
  feedForward: 128,
  training: { epochs: 3, learningRate: 0.002, batchesPerEpoch: 40 },
  fineTuning: { epochs: 1, learningRate: 0.001, batchesPerEpoch: 40 },
  evaluationWindows: 200,
  sensitivityWindows: 40,
  multipleOf: 2,
  timed: [0.8],
});

/** The published width (256, feed-forward 512), every window: days on two cores. */
export const sedimarkFull: SweepInput = sweep({
  name: "SEDIMARK's Crossformer, full",
  width: 256,
  feedForward: 512,
  training: { epochs: 10, learningRate: 0.0005 },
  fineTuning: { epochs: 2, learningRate: 0.0001 },
  sensitivityWindows: 1024,
  multipleOf: 8,
  timed: [0.5, 0.8, 0.9],
});
