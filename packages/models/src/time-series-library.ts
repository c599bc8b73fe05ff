import { EspalierError } from "@espalier/core";

type Config = Readonly<Record<string, unknown>>;

const common = {
  inputLength: "seq_len",
  horizon: "pred_len",
  series: "enc_in",
};

const encoder = {
  ...common,
  width: "d_model",
  feedForward: "d_ff",
  heads: "n_heads",
  layers: "e_layers",
  dropout: "dropout",
};

const encoderDecoder = {
  ...encoder,
  labelLength: "label_len",
  decoderLayers: "d_layers",
  activation: "activation",
};

/** The setting of Time-Series-Library for each option. */
const settings: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  PatchTST: { ...encoder, activation: "activation" },
  iTransformer: { ...encoder, activation: "activation" },
  Crossformer: { ...encoder, factor: "factor" },
  TimeXer: { ...encoder, activation: "activation", patchLength: "patch_len" },
  Transformer: encoderDecoder,
  NonstationaryTransformer: { ...encoderDecoder, projectorWidths: "p_hidden_dims" },
  Informer: { ...encoderDecoder, factor: "factor", distil: "distil" },
  Autoformer: { ...encoderDecoder, factor: "factor", movingAverage: "moving_avg" },
  FEDformer: { ...encoderDecoder, movingAverage: "moving_avg" },
  DLinear: { ...common, movingAverage: "moving_avg" },
};

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

/** Width of the time features by the library's letter of a frequency. */
const markWidths: Readonly<Record<string, number>> = { s: 6, t: 5, h: 4, d: 3, b: 3, w: 2, m: 1, a: 1 };

/**
 * Options of a model from the configuration that its original implementation was run with (`seq_len`, `d_model`, …).
 * Models with time marks get as many as the library makes for `freq` (4, hourly, if it is missing). Throws an
 * EspalierError for settings that no option can express.
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
  const decodes = "labelLength" in table;
  const inverted = model === "iTransformer" || model === "TimeXer";
  if (decodes) refuseUnknown(model, config);
  if (inverted && (config.embed ?? "timeF") !== "timeF") {
    throw new EspalierError(
      `${model} with embed "${config.embed}" has calendar numbers as tokens, which are not supported; only "timeF" is.`,
    );
  }
  if (model === "TimeXer" && (config.features ?? "M") !== "M") {
    throw new EspalierError(
      `TimeXer with features "${config.features}" forecasts only one of the series it sees; only "M", all of them, is supported.`,
    );
  }
  if (decodes || inverted) options.marks = markWidth(config);
  if (decodes && config.embed !== undefined) options.timeEmbedding = timeEmbeddingOf(model, config.embed);
  if (inverted && config.use_norm !== undefined) options.normalize = Boolean(config.use_norm);
  if (model === "FEDformer" && config.frequencyModes !== undefined)
    options.frequencies = frequenciesOf(config.frequencyModes as Readonly<Record<string, readonly number[]>>);
  return options;
}

/**
 * Number of time features; with calendar tables, of calendar numbers: month, day, weekday, hour and, for minutes, the
 * quarter.
 */
function markWidth({ freq = "h", embed = "timeF" }: Config): number {
  if (embed !== "timeF") return freq === "t" ? 5 : 4;
  const width = markWidths[String(freq)];
  if (width === undefined) {
    throw new EspalierError(
      `the configuration's freq "${freq}" is not known. Known: ${Object.keys(markWidths).join(", ")}.`,
    );
  }
  return width;
}

/** The library's `embed`: how time marks are embedded. */
function timeEmbeddingOf(model: string, embed: unknown): string {
  if (embed === "timeF") return "linear";
  if (embed === "fixed" || embed === "learned") return embed;
  throw new EspalierError(`${model} with embed "${embed}" is not known. Known: timeF, fixed, learned.`);
}

function refuseUnknown(model: string, { enc_in, dec_in = enc_in, c_out = enc_in }: Config): void {
  if (dec_in !== enc_in || c_out !== enc_in) {
    throw new EspalierError(
      `${model} with enc_in ${enc_in}, dec_in ${dec_in}, c_out ${c_out} is not supported: a model forecasts the series that it sees.`,
    );
  }
}

/** The modes that a FEDformer was built with, by the names of its attributes. */
function frequenciesOf(modes: Readonly<Record<string, readonly number[]>>) {
  const named = (pattern: RegExp) => Object.entries(modes).find(([name]) => pattern.test(name))?.[1];
  return {
    encoder: named(/^encoder\..*\.index$/),
    decoder: named(/\.self_attention\..*\.index$/),
    queries: named(/\.index_q$/),
    keys: named(/\.index_kv$/),
  };
}
