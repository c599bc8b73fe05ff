import {
  type Builder,
  batch,
  concat,
  defineModel,
  dropout,
  type ModelFactory,
  slice,
  swapAxes,
} from "@espalier/core/graph";
import { z } from "zod";
import { encoderLayer } from "./layers/encoder.ts";
import { linear } from "./layers/linear.ts";
import { layerNorm } from "./layers/norm.ts";
import { windowNormalization } from "./layers/window-normalization.ts";
import { depth, dropoutRatio, headsDivide, headsMessage, lengths, width } from "./options.ts";

const options = z
  .strictObject({
    ...lengths,
    width: width.default(128),
    feedForward: width.default(128),
    heads: width.default(8),
    layers: depth.default(2),
    dropout: dropoutRatio,
    activation: z.enum(["gelu", "relu"]).default("gelu"),
    /** Number of time features that become tokens in addition to the series (input `x_mark_enc`); 0 for none. */
    marks: z.int().min(0).default(0),
    /** Normalise each window first, and undo it at the end. */
    normalize: z.boolean().default(true),
  })
  .refine(headsDivide, headsMessage);

/** Options of an iTransformer; all have defaults. */
export type ITransformerOptions = z.input<typeof options>;

/**
 * Inverted transformer: every series is one token (Liu et al., ICLR 2024), following Time-Series-Library. x_enc [batch,
 * inputLength, series] (and x_mark_enc [batch, inputLength, marks]) → output [batch, horizon, series]. Prunable:
 * embedding, feed-forward, heads and the channels inside them.
 */
export const iTransformer: ModelFactory<ITransformerOptions> = defineModel({
  name: "iTransformer",
  options,
  draw(b: Builder, o: z.output<typeof options>) {
    const history = b.input("x_enc", [batch, o.inputLength, o.series]);
    const { normalized, restore } = o.normalize
      ? windowNormalization(b, history)
      : { normalized: history, restore: (forecast: typeof history) => forecast };
    const inverted = swapAxes(b, normalized, 1, 2);
    const tokens =
      o.marks === 0
        ? inverted
        : concat(b, [inverted, swapAxes(b, b.input("x_mark_enc", [batch, o.inputLength, o.marks]), 1, 2)], 1);
    let x = dropout(b, linear(b, "enc_embedding.value_embedding", tokens, o.width), o.dropout);
    for (let i = 0; i < o.layers; i++) x = encoderLayer(b, `encoder.attn_layers.${i}`, x, o);
    const future = linear(b, "projection", layerNorm(b, "encoder.norm", x), o.horizon);
    return { output: restore(slice(b, swapAxes(b, future, 1, 2), 2, 0, o.series)) };
  },
});
