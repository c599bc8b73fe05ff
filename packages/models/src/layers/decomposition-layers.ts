import {
  add,
  type Builder,
  batch,
  concat,
  dropout,
  expand,
  pad,
  reduceMean,
  slice,
  sub,
  type Value,
} from "@espalier/core/graph";
import { circularConvolution } from "./convolution.ts";
import { decompose } from "./decomposition.ts";
import { dataEmbedding } from "./embedding.ts";
import { type Attend, feedForward } from "./encoder.ts";
import { decoderRows, type EncoderDecoderOptions, marksInput } from "./encoder-decoder.ts";
import { linear } from "./linear.ts";
import { layerNorm } from "./norm.ts";

export interface DecompositionOptions extends EncoderDecoderOptions {
  readonly movingAverage: number;
}

/** The parts in which Autoformer and FEDformer differ. */
export interface DecompositionParts {
  readonly encoder: Attend;
  /** Attention of the decoder over its own rows. */
  readonly self: Attend;
  /** Attention of the decoder over the encoder's rows. */
  readonly cross: Attend;
  /** Whether embeddings have sinusoidal positions. */
  readonly positions: boolean;
}

/**
 * Encoder and decoder that repeatedly remove the trend from the series (Wu et al., NeurIPS 2021): the encoder works on
 * the remainder, the decoder adds up the trends. x_enc [batch, inputLength, series], x_mark_enc [batch, inputLength,
 * marks], x_mark_dec [batch, labelLength + horizon, marks] → [batch, horizon, series].
 */
export function drawDecomposition(b: Builder, o: DecompositionOptions, parts: DecompositionParts): Value {
  const rows = decoderRows(o);
  const history = b.input("x_enc", [batch, o.inputLength, o.series]);
  const historyMarks = marksInput(b, "x_mark_enc", o.inputLength, o);
  const startMarks = marksInput(b, "x_mark_dec", rows, o);
  const start = decompose(b, history, o.movingAverage);
  const label = (x: Value) => slice(b, x, 1, o.inputLength - o.labelLength, o.inputLength);
  const mean = expand(b, reduceMean(b, history, [1], true), [batch, o.horizon, o.series]);
  let trend = concat(b, [label(start.trend), mean], 1);
  let x = dataEmbedding(b, "enc_embedding", history, historyMarks, { ...o, positions: parts.positions });
  for (let i = 0; i < o.layers; i++)
    x = encoderLayer(b.scope(`encoder.attn_layers.${i}`), x, o, parts.encoder);
  const memory = seasonalNorm(b, "encoder.norm", x);
  const seasonal = pad(b, label(start.seasonal), 1, 0, o.horizon);
  let y = dataEmbedding(b, "dec_embedding", seasonal, startMarks, { ...o, positions: parts.positions });
  for (let i = 0; i < o.decoderLayers; i++) {
    const layer = decoderLayer(b.scope(`decoder.layers.${i}`), y, memory, o, parts);
    y = layer.seasonal;
    trend = add(b, trend, layer.trend);
  }
  const forecast = add(
    b,
    trend,
    linear(b, "decoder.projection", seasonalNorm(b, "decoder.norm", y), o.series),
  );
  return slice(b, forecast, 1, rows - o.horizon, rows);
}

function encoderLayer(b: Builder, x: Value, o: DecompositionOptions, attend: Attend): Value {
  const attended = dropout(b, attend(b, "attention", x, x), o.dropout);
  const { seasonal } = decompose(b, add(b, x, attended), o.movingAverage);
  const out = add(b, seasonal, feedForward(b, seasonal, o, { bias: false }));
  return decompose(b, out, o.movingAverage).seasonal;
}

/** The remainder of the rows, and the removed trends as a forecast of the series. */
function decoderLayer(
  b: Builder,
  x: Value,
  memory: Value,
  o: DecompositionOptions,
  { self, cross }: DecompositionParts,
) {
  const own = dropout(b, self(b, "self_attention", x, x), o.dropout);
  const first = decompose(b, add(b, x, own), o.movingAverage);
  const crossed = dropout(b, cross(b, "cross_attention", first.seasonal, memory), o.dropout);
  const second = decompose(b, add(b, first.seasonal, crossed), o.movingAverage);
  const out = add(b, second.seasonal, feedForward(b, second.seasonal, o, { bias: false }));
  const third = decompose(b, out, o.movingAverage);
  const trends = add(b, add(b, first.trend, second.trend), third.trend);
  return { seasonal: third.seasonal, trend: circularConvolution(b, "projection", trends, o.series) };
}

/** Layer normalization without the mean over time that it leaves. */
function seasonalNorm(b: Builder, name: string, x: Value): Value {
  const normalized = layerNorm(b, `${name}.layernorm`, x);
  return sub(b, normalized, reduceMean(b, normalized, [1], true));
}
