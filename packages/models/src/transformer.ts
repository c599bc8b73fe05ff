import { type Builder, defineModel, type ModelFactory } from "@espalier/core/graph";
import { z } from "zod";
import { withoutUnused } from "./checkpoints.ts";
import { causalMask, multiHeadAttention } from "./layers/attention.ts";
import { positionTables } from "./layers/embedding.ts";
import type { Attend } from "./layers/encoder.ts";
import { decoderRows, drawEncoderDecoder } from "./layers/encoder-decoder.ts";
import { encoderDecoder, encoderDecoderChecks } from "./options.ts";

const options = z.strictObject(encoderDecoder).check(...encoderDecoderChecks);

/** Options of a Transformer; all have defaults. */
export type TransformerOptions = z.input<typeof options>;

/**
 * The transformer (Vaswani et al., NeurIPS 2017) for series, following Time-Series-Library: rows are tokens, the
 * decoder sees its own rows up to each one, and forecasts all at once. x_enc [batch, inputLength, series], x_mark_enc
 * [batch, inputLength, marks], x_dec [batch, labelLength + horizon, series], x_mark_dec [batch, labelLength + horizon,
 * marks] → output [batch, horizon, series].
 *
 * Prunable: the embeddings of encoder and of decoder, feed-forward widths, heads and the channels inside them. Fixed:
 * time, which reaches the inputs and is what Softmax compares, series and marks.
 */
export const transformer: ModelFactory<TransformerOptions> = defineModel({
  name: "Transformer",
  options,
  draw(b: Builder, o: z.output<typeof options>) {
    const attend: Attend = (layer, name, queries, memory) =>
      multiHeadAttention(layer, name, queries, memory, o);
    const mask = causalMask(b, decoderRows(o), decoderRows(o));
    const self: Attend = (layer, name, queries, memory) =>
      multiHeadAttention(layer, name, queries, memory, { ...o, mask });
    return { output: drawEncoderDecoder(b, o, { encoder: attend, self, cross: attend }) };
  },
  checkpoint: (tensors, o) =>
    withoutUnused(tensors, {
      [positionTables.encoder]: o.inputLength,
      [positionTables.decoder]: decoderRows(o),
    }),
});
