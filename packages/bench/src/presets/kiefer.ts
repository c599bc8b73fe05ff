import type { SweepInput } from "../sweep/config.ts";

/** What differs between the preset and its full widths. */
interface Scale {
  readonly name: string;
  readonly width: number;
  readonly feedForward: number;
  readonly heads: number;
  readonly crossformer: { readonly width: number; readonly feedForward: number };
  readonly training: SweepInput["training"];
  readonly fineTuning: NonNullable<SweepInput["fineTuning"]>[number];
  readonly evaluationWindows?: number;
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
  const { name, width, feedForward, heads, crossformer, training, fineTuning, evaluationWindows, timed } =
    scale;
  const common = { width, feedForward, heads };
  return {
    name,
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
    targets: sparsities([1, 2, 3, 4, 5, 6, 7, 8, 9]) as SweepInput["targets"],
    training,
    fineTuning: [{ epochs: 0 }, fineTuning],
    backends: ["available"],
    batchSizes: [1, 3, 32],
    timedTargets: sparsities(timed),
    latency: { time: 60, samples: 7 },
  };
}

/** Small widths and short training: a quarter of an hour on two cores. */
export const kiefer: SweepInput = sweep({
  name: "kiefer",
  width: 64,
  feedForward: 128,
  heads: 4,
  crossformer: { width: 32, feedForward: 64 },
  training: { epochs: 3, learningRate: 0.001, batchesPerEpoch: 60 },
  fineTuning: { epochs: 1, learningRate: 0.0005, batchesPerEpoch: 30 },
  evaluationWindows: 400,
  timed: [3, 9],
});

/** The study's width (512, feed-forward 2048, 8 heads; Crossformer 256 and 512), all windows: days on two cores. */
export const kieferFull: SweepInput = sweep({
  name: "kiefer-full",
  width: 512,
  feedForward: 2048,
  heads: 8,
  crossformer: { width: 256, feedForward: 512 },
  training: { epochs: 10, learningRate: 0.0001 },
  fineTuning: { epochs: 3, learningRate: 0.0001 },
  timed: [1, 3, 6, 9],
});
