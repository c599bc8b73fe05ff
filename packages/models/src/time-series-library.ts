import { EspalierError } from "@espalier/core";

type Config = Readonly<Record<string, unknown>>;

/** Which of Time-Series-Library's settings each option is. */
const settings: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  PatchTST: { ...common("e_layers"), activation: "activation" },
  iTransformer: { ...common("e_layers"), activation: "activation" },
  Crossformer: { ...common("e_layers"), factor: "factor" },
};

function common(layers: string): Record<string, string> {
  return {
    inputLength: "seq_len",
    horizon: "pred_len",
    series: "enc_in",
    width: "d_model",
    feedForward: "d_ff",
    heads: "n_heads",
    layers,
    dropout: "dropout",
  };
}

/** SEDIMARK's names for its own model. */
const sedimark: Readonly<Record<string, string>> = {
  inputLength: "in_len",
  horizon: "out_len",
  series: "data_dim",
  segmentLength: "seg_len",
  window: "window_size",
  factor: "factor",
  width: "model_dim",
  feedForward: "feedforward_dim",
  heads: "heads_num",
  blocks: "blocks_num",
  dropout: "dropout",
};

/**
 * Options of a model from the configuration its original implementation was run with (`seq_len`, `d_model`, …). The
 * iTransformer gets 4 time marks, the library's hourly features, unless its configuration says otherwise.
 */
export function fromOriginalConfig(model: string, config: Config): Record<string, unknown> {
  const table = model === "SedimarkCrossformer" ? sedimark : settings[model];
  if (table === undefined) {
    throw new EspalierError(
      `no mapping of the original configuration is known for model "${model}". Known: ${Object.keys(settings).join(", ")}, SedimarkCrossformer.`,
    );
  }
  const options: Record<string, unknown> = {};
  for (const [option, key] of Object.entries(table))
    if (config[key] !== undefined) options[option] = config[key];
  if (model === "iTransformer") {
    options.marks = 4;
    if (config.use_norm !== undefined) options.normalize = Boolean(config.use_norm);
  }
  return options;
}
