import type { SweepConfig } from "@espalier/bench";
import type { UseConfig } from "@espalier/recipe";

/** A setting as published, and as the study has it here. */
export interface Setting {
  readonly setting: string;
  readonly published: string;
  readonly here: (config: SweepConfig) => string;
}

/** Published facts about a study, apart from its claims. */
export interface Published {
  readonly title: string;
  readonly about: string;
  /** Test MSE in the literature on the study's first data set, by model. */
  readonly literature: Readonly<Record<string, number>>;
  readonly settings: readonly Setting[];
}

const widths: Setting["here"] = ({ models }) => {
  const [{ width, feedForward, heads }] = models as [UseConfig];
  return `${width}, ${feedForward}, ${heads}`;
};
const data: Setting["here"] = ({ datasets, inputLength, horizon }) =>
  `${datasets.join(", ")}, ${inputLength} → ${horizon}`;
const seeds: Setting["here"] = ({ seeds: all }) => `${all.length}`;
const training: Setting["here"] = ({
  training: { learningRate, rateSchedule, epochs, batchesPerEpoch, patience },
}) =>
  `Adam, rate ${learningRate}, ${rateSchedule}; ${batchesPerEpoch === undefined ? `at most ${epochs} epochs` : `at most ${epochs * batchesPerEpoch} steps of 32, validated every ${batchesPerEpoch}`}, patience ${patience}`;
const tuning: Setting["here"] = ({ fineTuning }) =>
  fineTuning
    .filter(({ epochs }) => epochs > 0)
    .map(({ epochs, batchesPerEpoch, learningRate }) =>
      batchesPerEpoch === undefined
        ? `${epochs} ${epochs === 1 ? "epoch" : "epochs"}, rate ${learningRate}`
        : `${epochs * batchesPerEpoch} steps, rate ${learningRate}`,
    )
    .join("; ");

/** SEDIMARK's Crossformer and its pruning toolbox. */
export const sedimark: Published = {
  title: "SEDIMARK's Crossformer, pruned",
  about:
    "SEDIMARK's own forecaster on the air quality of Helsinki that its repository ships: as its code executes it, where no encoder block reaches the output, and connected as the paper has it. Unstructured pruning by weight statistics (WSAP), channels, and both; dead parameters are told apart from live ones.",
  // Nothing was published for this data.
  literature: {},
  settings: [
    { setting: "width, feed-forward, heads", published: "256, 512, 8", here: widths },
    { setting: "data", published: "air quality, 24 → 24 and 96 → 24", here: data },
    {
      setting: "training",
      published: "Adam, rate 0.1, a tenth every 10 epochs; at most 200 epochs, patience 15",
      here: training,
    },
    { setting: "fine-tuning", published: "not stated", here: tuning },
    { setting: "seeds", published: "1", here: seeds },
  ],
};

/** Kiefer et al., arXiv 2412.12883. */
export const kiefer: Published = {
  title: "The study of Kiefer et al., repeated",
  about:
    "Global magnitude and channel pruning of five transformers, with and without fine-tuning, after Kiefer et al., A Comparative Study of Pruning Methods in Transformer-based Time Series Forecasting (arXiv 2412.12883).",
  // ETTh1, 96 → 96: Informer, Autoformer and FEDformer as the papers have them, Crossformer as iTransformer's has it.
  literature: { Informer: 0.865, Autoformer: 0.449, FEDformer: 0.376, Crossformer: 0.423 },
  settings: [
    { setting: "width, feed-forward, heads", published: "512, 2048, 8", here: widths },
    {
      setting: "data",
      published: "ETT, Electricity, Exchange, Traffic, Weather; 96 → 96 to 720",
      here: data,
    },
    {
      setting: "training",
      published: "Adam, rate 0.0001, halving; at most 10 epochs, early stopping",
      here: training,
    },
    { setting: "fine-tuning", published: "yes", here: tuning },
    {
      setting: "densities",
      published: "0.8ⁿ, n = 0 to 9",
      here: ({ targets }) => `${targets.length} of them`,
    },
    { setting: "seeds", published: "not stated", here: seeds },
  ],
};
