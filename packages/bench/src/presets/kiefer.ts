import type { SweepInput } from "../sweep/config.ts";

/** What differs between the preset and its full widths. */
interface Scale {
  readonly name: string;
  readonly note?: string;
  readonly width: number;
  readonly feedForward: number;
  readonly heads: number;
  readonly crossformer: { readonly width: number; readonly feedForward: number };
  readonly training: SweepInput["training"];
  readonly fineTuning: NonNullable<SweepInput["fineTuning"]>[number];
  readonly evaluationWindows?: number;
  /** Which n of the densities 0.8ⁿ, and which of them are timed. */
  readonly exponents: readonly number[];
  readonly timed: readonly number[];
}

/** Densities 0.8ⁿ, as the study has them; n = 0 is the dense model. */
const sparsities = (exponents: readonly number[]) =>
  exponents.map((n) => ({ sparsity: Number((1 - 0.8 ** n).toFixed(3)) }));

/**
 * The study of Kiefer et al., A Comparative Study of Pruning Methods in Transformer-based Time Series Forecasting (arXiv
 * 2412.12883): five models, look-back 96, horizon 96, 2 + 1 layers, global magnitude of weights (without a guard against
 * emptied layers) and channels by dependency group, at densities 0.8ⁿ, with and without fine-tuning; time on every
 * backend that is there, at batch 1, 3 and 32. Of its data sets ETTh1 alone.
 */
function sweep(scale: Scale): SweepInput {
  const { name, note, width, feedForward, heads, crossformer, training, fineTuning, evaluationWindows } =
    scale;
  const common = { width, feedForward, heads };
  return {
    name,
    ...(note === undefined ? {} : { note }),
    models: [
      { use: "Transformer", ...common },
      { use: "Informer", ...common },
      { use: "Autoformer", ...common },
      { use: "FEDformer", ...common },
      { use: "Crossformer", ...crossformer, heads, layers: 2 },
    ],
    datasets: ["ETTh1"],
    inputLength: 96,
    horizon: 96,
    ...(evaluationWindows === undefined ? {} : { evaluationWindows }),
    strategies: [
      { use: "unstructured", leastDensity: 0, label: "unstructured" },
      { use: "channel", label: "structured" },
    ],
    targets: sparsities(scale.exponents) as SweepInput["targets"],
    training,
    fineTuning: [{ epochs: 0 }, fineTuning],
    backends: ["available"],
    batchSizes: [1, 3, 32],
    timedTargets: sparsities(scale.timed),
    latency: { time: 50, samples: 7 },
  };
}

/** Small widths, few steps, some of the windows, every third density: about ten minutes of processor time. */
export const kiefer: SweepInput = sweep({
  name: "Kiefer et al.",
  note:
    "Reduced: width 32 and feed-forward 64 instead of 512 and 2048, 4 heads instead of 8, ETTh1 alone, horizon 96 alone, 80 training " +
    "steps and 15 of fine-tuning, every third density 0.8ⁿ, and 150 of the windows of validation and of test, evenly spaced. The preset kiefer-full " +
    "has the study's widths, all its densities and every window.",
  width: 32,
  feedForward: 64,
  heads: 4,
  crossformer: { width: 32, feedForward: 64 },
  training: { epochs: 2, learningRate: 0.002, batchesPerEpoch: 40 },
  fineTuning: { epochs: 1, learningRate: 0.001, batchesPerEpoch: 15 },
  evaluationWindows: 150,
  exponents: [3, 6, 9],
  timed: [9],
});

/** The study's width (512, feed-forward 2048, 8 heads; Crossformer 256 and 512), all windows: weeks on two cores. */
export const kieferFull: SweepInput = sweep({
  name: "Kiefer et al., full",
  width: 512,
  feedForward: 2048,
  heads: 8,
  crossformer: { width: 256, feedForward: 512 },
  training: { epochs: 10, learningRate: 0.0001 },
  fineTuning: { epochs: 3, learningRate: 0.0001 },
  exponents: [1, 2, 3, 4, 5, 6, 7, 8, 9],
  timed: [3, 6, 9],
});
