import {
  add,
  type Builder,
  batch,
  clip,
  concat,
  defineModel,
  exp,
  type ModelFactory,
  mul,
  pad,
  relu,
  reshape,
  slice,
  swapAxes,
  type Value,
} from "@espalier/core/graph";
import { z } from "zod";
import { withoutUnused } from "./checkpoints.ts";
import { causalMask, multiHeadAttention } from "./layers/attention.ts";
import { circularConvolution } from "./layers/convolution.ts";
import { positionTables } from "./layers/embedding.ts";
import type { Attend } from "./layers/encoder.ts";
import { decoderRows, encodeDecode, marksInput } from "./layers/encoder-decoder.ts";
import { linear } from "./layers/linear.ts";
import { windowNormalization } from "./layers/window-normalization.ts";
import { encoderDecoder, encoderDecoderChecks, width } from "./options.ts";

const options = z
  .strictObject({
    ...encoderDecoder,
    labelLength: z.int().min(1).default(48),
    /** Widths of the two networks that learn what normalising removed. */
    projectorWidths: z.array(width).nonempty().default([128, 128]),
  })
  .check(...encoderDecoderChecks);

/** Options of a Nonstationary Transformer; all have defaults. */
export type NonstationaryTransformerOptions = z.input<typeof options>;
type Options = z.output<typeof options>;

/** Larger exponents would overflow. */
const largestExponent = 80;

/**
 * A transformer over normalised windows whose attentions are given back, as a factor and a shift of their scores, what
 * normalising took away (Liu et al., NeurIPS 2022), following Time-Series-Library. x_enc [batch, inputLength, series],
 * x_mark_enc [batch, inputLength, marks], x_mark_dec [batch, labelLength + horizon, marks] → output [batch, horizon,
 * series].
 *
 * Prunable: the embeddings of encoder and of decoder, feed-forward widths, heads and the channels inside them, and the
 * widths of the two networks. Fixed: time, series and marks.
 */
export const nonstationaryTransformer: ModelFactory<NonstationaryTransformerOptions> = defineModel({
  name: "NonstationaryTransformer",
  options,
  draw(b: Builder, o: Options) {
    const rows = decoderRows(o);
    const raw = b.input("x_enc", [batch, o.inputLength, o.series]);
    const historyMarks = marksInput(b, "x_mark_enc", o.inputLength, o);
    const startMarks = marksInput(b, "x_mark_dec", rows, o);
    const { normalized, mean, deviation, restore } = windowNormalization(b, raw);
    const learnt = projector(b, "tau_learner", raw, deviation, 1, o);
    const factor = reshape(b, exp(b, clip(b, learnt, { max: largestExponent })), [batch, 1, 1, 1]);
    const shift = reshape(b, projector(b, "delta_learner", raw, mean, o.inputLength, o), [
      batch,
      1,
      1,
      o.inputLength,
    ]);
    const scaled = (layer: Builder, scores: Value) => mul(layer, scores, factor);
    const shifted = (layer: Builder, scores: Value) => add(layer, scaled(layer, scores), shift);
    const attend: Attend = (layer, name, queries, memory) =>
      multiHeadAttention(layer, name, queries, memory, { ...o, restore: shifted });
    const mask = causalMask(b, rows, rows);
    const self: Attend = (layer, name, queries, memory) =>
      multiHeadAttention(layer, name, queries, memory, { ...o, mask, restore: scaled });
    const label = slice(b, normalized, 1, o.inputLength - o.labelLength, o.inputLength);
    const start = pad(b, label, 1, 0, o.horizon);
    const inputs = { history: normalized, historyMarks, start, startMarks };
    return { output: restore(encodeDecode(b, inputs, o, { encoder: attend, self, cross: attend })) };
  },
  checkpoint: (tensors, o) =>
    withoutUnused(tensors, {
      [positionTables.encoder]: o.inputLength,
      [positionTables.decoder]: decoderRows(o),
    }),
});

/**
 * Learns `to` numbers from the raw window and one statistic of it: a convolution along the series that sums over time,
 * then linear layers. x [batch, time, series], statistic [batch, 1, series] → [batch, to].
 */
function projector(
  b: Builder,
  name: string,
  x: Value,
  statistic: Value,
  to: number,
  { series, projectorWidths }: Options,
): Value {
  const layer = b.scope(name);
  const summed = circularConvolution(layer, "series_conv", swapAxes(layer, x, 1, 2), 1);
  const joined = concat(layer, [swapAxes(layer, summed, 1, 2), statistic], 1);
  let hidden = reshape(layer, joined, [batch, 2 * series]);
  projectorWidths.forEach((size, i) => {
    hidden = relu(layer, linear(layer, `backbone.${2 * i}`, hidden, size));
  });
  return linear(layer, `backbone.${2 * projectorWidths.length}`, hidden, to, { bias: false });
}
