import { type Builder, defineModel, type ModelFactory } from "@espalier/core/graph";
import { z } from "zod";
import { withoutUnused } from "./checkpoints.ts";
import { causalMask } from "./layers/attention.ts";
import { distillation } from "./layers/distillation.ts";
import { positionTables } from "./layers/embedding.ts";
import type { Attend } from "./layers/encoder.ts";
import { decoderRows, drawEncoderDecoder } from "./layers/encoder-decoder.ts";
import { probSparseAttention } from "./layers/prob-sparse-attention.ts";
import { encoderDecoder, encoderDecoderChecks, width } from "./options.ts";

const options = z
  .strictObject({
    ...encoderDecoder,
    /** Number of queries that attend: factor · ⌈ln length⌉, chosen by as many sampled keys. */
    factor: width.default(5),
    /** Halve the rows between the encoder's layers. */
    distil: z.boolean().default(true),
    /** Seed of the sampled keys. */
    seed: z.int().min(0).default(0),
  })
  .check(...encoderDecoderChecks);

/** Options of an Informer; all have defaults. */
export type InformerOptions = z.input<typeof options>;

/**
 * Sparse attention and distillation (Zhou et al., AAAI 2021), following Time-Series-Library; there each run samples
 * keys anew, here they are drawn from `seed` once and belong to the graph. x_enc [batch, inputLength, series],
 * x_mark_enc [batch, inputLength, marks], x_dec [batch, labelLength + horizon, series], x_mark_dec [batch, labelLength
 * + horizon, marks] → output [batch, horizon, series].
 *
 * Prunable: the embeddings of encoder and of decoder, feed-forward widths, the channels in which queries meet keys, and
 * those of values. Fixed: time, series and marks; and heads, because the library reads a result [heads, time, channels]
 * as if it were [time, heads · channels], which mixes them into time.
 */
export const informer: ModelFactory<InformerOptions> = defineModel({
  name: "Informer",
  options,
  draw(b: Builder, o: z.output<typeof options>) {
    const attend: Attend = (layer, name, queries, memory) =>
      probSparseAttention(layer, name, queries, memory, o);
    const mask = causalMask(b, decoderRows(o), decoderRows(o));
    const self: Attend = (layer, name, queries, memory) =>
      probSparseAttention(layer, name, queries, memory, { ...o, mask });
    const between = (layer: Builder, i: number, x: Parameters<Attend>[2]) =>
      distillation(layer, `encoder.conv_layers.${i}`, x);
    const parts = { encoder: attend, self, cross: attend, ...(o.distil ? { between } : {}) };
    return { output: drawEncoderDecoder(b, o, parts) };
  },
  checkpoint: (tensors, o) =>
    withoutUnused(tensors, {
      [positionTables.encoder]: o.inputLength,
      [positionTables.decoder]: decoderRows(o),
    }),
});
