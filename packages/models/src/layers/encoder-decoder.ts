import { type Builder, batch, slice, type Value } from "@espalier/core/graph";
import type { TimeEmbedding } from "./calendar.ts";
import { decoderLayer } from "./decoder.ts";
import { dataEmbedding } from "./embedding.ts";
import { type Attend, encoderLayer, type FeedForwardOptions } from "./encoder.ts";
import { linear } from "./linear.ts";
import { layerNorm } from "./norm.ts";

export interface EncoderDecoderOptions extends FeedForwardOptions {
  readonly inputLength: number;
  readonly labelLength: number;
  readonly horizon: number;
  readonly series: number;
  readonly marks: number;
  readonly timeEmbedding: TimeEmbedding;
  readonly heads: number;
  readonly layers: number;
  readonly decoderLayers: number;
}

/** The parts in which Time-Series-Library's transformers differ. */
export interface EncoderDecoderParts {
  readonly encoder: Attend;
  /** Attention of the decoder over its own rows. */
  readonly self: Attend;
  /** Attention of the decoder over the encoder's rows. */
  readonly cross: Attend;
  /** Draws the part between two layers of the encoder. */
  readonly between?: (b: Builder, index: number, x: Value) => Value;
}

/** Number of rows that the decoder works on. */
export function decoderRows({
  labelLength,
  horizon,
}: Pick<EncoderDecoderOptions, "labelLength" | "horizon">): number {
  return labelLength + horizon;
}

/**
 * The time marks of the encoder's or decoder's rows [batch, rows, marks]: features, or (int32) calendar numbers for tables;
 * undefined if the model has none.
 */
export function marksInput(
  b: Builder,
  name: string,
  rows: number,
  { marks, timeEmbedding }: Pick<EncoderDecoderOptions, "marks" | "timeEmbedding">,
): Value | undefined {
  if (marks === 0) return undefined;
  return b.input(name, [batch, rows, marks], timeEmbedding === "linear" ? "float32" : "int32");
}

/** Input of encoder and decoder: rows [batch, rows, series] and their marks. */
export interface EncoderDecoderInputs {
  readonly history: Value;
  readonly historyMarks: Value | undefined;
  readonly start: Value;
  readonly startMarks: Value | undefined;
}

/**
 * Encoder and decoder of Vaswani et al. (NeurIPS 2017) on embedded rows: x_enc [batch, inputLength, series], x_dec
 * [batch, labelLength + horizon, series] (the last rows of the input, then zeros) and the marks of both → [batch,
 * horizon, series].
 */
export function drawEncoderDecoder(b: Builder, o: EncoderDecoderOptions, parts: EncoderDecoderParts): Value {
  const rows = decoderRows(o);
  const history = b.input("x_enc", [batch, o.inputLength, o.series]);
  const historyMarks = marksInput(b, "x_mark_enc", o.inputLength, o);
  const start = b.input("x_dec", [batch, rows, o.series]);
  const startMarks = marksInput(b, "x_mark_dec", rows, o);
  return encodeDecode(b, { history, historyMarks, start, startMarks }, o, parts);
}

/** The same on inputs that are already drawn. */
export function encodeDecode(
  b: Builder,
  { history, historyMarks, start, startMarks }: EncoderDecoderInputs,
  o: EncoderDecoderOptions,
  parts: EncoderDecoderParts,
): Value {
  const rows = decoderRows(o);
  let x = dataEmbedding(b, "enc_embedding", history, historyMarks, o);
  for (let i = 0; i < o.layers; i++) {
    x = encoderLayer(b, `encoder.attn_layers.${i}`, x, o, parts.encoder);
    if (parts.between !== undefined && i < o.layers - 1) x = parts.between(b, i, x);
  }
  const memory = layerNorm(b, "encoder.norm", x);
  let y = dataEmbedding(b, "dec_embedding", start, startMarks, o);
  for (let i = 0; i < o.decoderLayers; i++) y = decoderLayer(b, `decoder.layers.${i}`, y, memory, parts, o);
  const forecast = linear(b, "decoder.projection", layerNorm(b, "decoder.norm", y), o.series);
  return slice(b, forecast, 1, rows - o.horizon, rows);
}
