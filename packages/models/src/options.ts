import { z } from "zod";

/** Rows, series or channels, far above what is in use; which products of them fit into memory shows when they are drawn. */
const size = z.int().min(1).max(1_000_000);

/** Options that most models share, in rows of the data. */
export const lengths = {
  /** Rows that the model sees. */
  inputLength: size.default(96),
  /** Rows that the model forecasts. */
  horizon: size.default(96),
  /** Number of series that the model sees and forecasts. */
  series: size.default(7),
};

/** A number of channels or heads. */
export const width = size;
/** A number of layers. */
export const depth = z.int().min(1).max(1000);
/** Rows of a moving average. */
export const movingAverage = z
  .int()
  .min(1)
  .refine((rows) => rows % 2 === 1, { message: "must be odd, so that the average has a middle" })
  .default(25);
/** Share of values dropped in training. */
export const dropoutRatio = z.number().min(0).lt(1).default(0.1);

/** Heads share the width evenly. */
export function headsDivide(options: { readonly width: number; readonly heads: number }): boolean {
  return options.width % options.heads === 0;
}

/** The error for a width that is not divisible by the number of heads. */
export const headsMessage = { message: "must be a multiple of heads", path: ["width"] };

/** Options of models with an encoder and a decoder. */
export const encoderDecoder = {
  ...lengths,
  /** Rows of the input that the decoder starts from. */
  labelLength: z.int().min(0).default(48),
  /** Width of the time marks (inputs `x_mark_enc`, `x_mark_dec`): 4 for hourly data; 0 for none. */
  marks: z.int().min(0).default(4),
  /**
   * How time marks are embedded: features of the date by a linear layer; or calendar numbers (month, day, weekday, hour
   * and, for minutes, the quarter: marks 4 or 5) by tables, sinusoidal (`fixed`) or `learned`.
   */
  timeEmbedding: z.enum(["linear", "fixed", "learned"]).default("linear"),
  width: width.default(64),
  feedForward: width.default(128),
  heads: width.default(4),
  /** Layers of the encoder. */
  layers: depth.default(2),
  decoderLayers: depth.default(1),
  dropout: dropoutRatio,
  activation: z.enum(["gelu", "relu"]).default("gelu"),
};

/** The decoder starts from rows of the input. */
function labelFits(options: { readonly labelLength: number; readonly inputLength: number }): boolean {
  return options.labelLength <= options.inputLength;
}

const labelMessage = {
  error: ({ input }: { readonly input?: unknown }): string => {
    const { labelLength, inputLength } = input as Parameters<typeof labelFits>[0];
    return `${labelLength} rows are more than inputLength has (${inputLength})`;
  },
  path: ["labelLength"],
};

/** Calendar numbers have a table each. */
function marksFit({
  timeEmbedding,
  marks,
}: {
  readonly timeEmbedding: string;
  readonly marks: number;
}): boolean {
  return timeEmbedding === "linear" || marks === 0 || marks === 4 || marks === 5;
}

type EncoderDecoder = z.output<z.ZodObject<typeof encoderDecoder>>;

/** What the options of a model with an encoder and a decoder must fulfil together. */
export const encoderDecoderChecks = [
  z.refine<EncoderDecoder>(headsDivide, headsMessage),
  z.refine<EncoderDecoder>(labelFits, labelMessage),
  z.refine<EncoderDecoder>(marksFit, {
    message: "must be 4, or 5 for minutes, for tables of calendar numbers",
    path: ["marks"],
  }),
] as const;

/** Options of models that remove the trend from the series: the decoder's start must not be empty. */
export const decomposing = {
  ...encoderDecoder,
  labelLength: z.int().min(1).default(48),
  movingAverage,
};
