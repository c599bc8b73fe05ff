import {
  type Builder,
  batch,
  defineModel,
  dropout,
  type ModelFactory,
  reshape,
  swapAxes,
  transpose,
} from "@espalier/core/graph";
import { z } from "zod";
import { withoutUnused } from "./checkpoints.ts";
import { encoderLayer } from "./layers/encoder.ts";
import { linear } from "./layers/linear.ts";
import { batchNorm } from "./layers/norm.ts";
import { patchCount, patchEmbedding } from "./layers/patches.ts";
import { windowNormalization } from "./layers/window-normalization.ts";
import { depth, dropoutRatio, headsDivide, headsMessage, lengths, width } from "./options.ts";

const options = z
  .strictObject({
    ...lengths,
    width: width.default(64),
    feedForward: width.default(128),
    heads: width.default(4),
    layers: depth.default(2),
    dropout: dropoutRatio,
    activation: z.enum(["gelu", "relu"]).default("gelu"),
    patchLength: width.default(16),
    stride: width.default(8),
  })
  .refine(headsDivide, headsMessage)
  .refine((o) => o.inputLength + o.stride >= o.patchLength, {
    message: "is shorter than a patch",
    path: ["inputLength"],
  });

/** Options of a PatchTST; all have defaults. */
export type PatchTSTOptions = z.input<typeof options>;

/**
 * Patches of each series as tokens, with independent series (Nie et al., ICLR 2023), following Time-Series-Library.
 * x_enc [batch, inputLength, series] → output [batch, horizon, series]. Prunable: embedding, feed-forward, heads and
 * the channels inside them.
 */
export const patchTST: ModelFactory<PatchTSTOptions> = defineModel({
  name: "PatchTST",
  options,
  draw(b: Builder, o: z.output<typeof options>) {
    const history = b.input("x_enc", [batch, o.inputLength, o.series]);
    const { normalized, restore } = windowNormalization(b, history);
    const padding = o.stride;
    let x = patchEmbedding(b, "patch_embedding", swapAxes(b, normalized, 1, 2), o.width, { ...o, padding });
    for (let i = 0; i < o.layers; i++) x = encoderLayer(b, `encoder.attn_layers.${i}`, x, o);
    const count = patchCount(o.inputLength, { ...o, padding });
    const encoded = reshape(b, batchNorm(b, "encoder.norm.1", x), [batch, o.series, count, o.width]);
    const flat = reshape(b, transpose(b, encoded, [0, 1, 3, 2]), [batch, o.series, o.width * count]);
    const future = dropout(b, linear(b, "head.linear", flat, o.horizon), o.dropout);
    return { output: restore(swapAxes(b, future, 1, 2)) };
  },
  checkpoint: (tensors, o) =>
    withoutUnused(tensors, {
      "patch_embedding.position_embedding.pe": patchCount(o.inputLength, { ...o, padding: o.stride }),
    }),
});
