import { reference } from "@espalier/core";
import { forecastingDataOf, loadSynthetic } from "@espalier/datasets";
import { iTransformer, patchTST } from "@espalier/models";

const lengths = { inputLength: 12, horizon: 4 };
export const data = forecastingDataOf(await loadSynthetic({ rows: 220, series: 3 }), lengths);
const { train, validation } = data;
const widths = { ...lengths, series: 3, width: 8, feedForward: 12, heads: 2, layers: 1 };

/** With batch statistics and dropout. */
export const patched = patchTST({ ...widths, patchLength: 6, stride: 4, dropout: 0.2 }).initialize(1);
/** With neither. */
export const inverted = iTransformer({ ...widths, dropout: 0 }).initialize(1);

/** What every fit here has in common: a few steps of a small model. */
export const common = { backend: reference, train, validation };
export const settings = {
  rateSchedule: "halving" as const,
  epochs: 3,
  batchSize: 8,
  batchesPerEpoch: 3,
  learningRate: 0.01,
  patience: 0,
  seed: 5,
};
