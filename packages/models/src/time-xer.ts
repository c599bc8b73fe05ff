import {
  add,
  type Builder,
  batch,
  concat,
  defineModel,
  dropout,
  elementsOf,
  expand,
  type ModelFactory,
  normal,
  reshape,
  slice,
  swapAxes,
  transpose,
  type Value,
} from "@espalier/core/graph";
import { z } from "zod";
import { withoutUnused } from "./checkpoints.ts";
import { multiHeadAttention } from "./layers/attention.ts";
import { feedForward } from "./layers/encoder.ts";
import { linear } from "./layers/linear.ts";
import { layerNorm } from "./layers/norm.ts";
import { patches } from "./layers/patches.ts";
import { positionTable } from "./layers/positions.ts";
import { windowNormalization } from "./layers/window-normalization.ts";
import { depth, dropoutRatio, headsDivide, headsMessage, lengths, width } from "./options.ts";

const options = z
  .strictObject({
    ...lengths,
    width: width.default(128),
    feedForward: width.default(256),
    heads: width.default(8),
    layers: depth.default(2),
    dropout: dropoutRatio,
    activation: z.enum(["gelu", "relu"]).default("gelu"),
    patchLength: width.default(16),
    /** Number of time features that become tokens in addition to the series (input `x_mark_enc`); 0 for none. */
    marks: z.int().min(0).default(4),
    /** Normalise each window first, and undo it at the end. */
    normalize: z.boolean().default(true),
  })
  .refine(headsDivide, headsMessage)
  .refine((o) => o.inputLength >= o.patchLength, {
    message: "is shorter than a patch",
    path: ["inputLength"],
  });

/** Options of a TimeXer; all have defaults. */
export type TimeXerOptions = z.input<typeof options>;
type Options = z.output<typeof options>;

/**
 * Patches of each series and a global token beside them, which looks at all series as tokens (Wang et al., NeurIPS 2024), as
 * Time-Series-Library has it where all series are forecast.
 * x_enc [batch, inputLength, series], x_mark_enc [batch, inputLength, marks] → output [batch, horizon, series].
 *
 * Prunable: the embedding, feed-forward widths, heads and the channels inside them. Fixed: time, series and marks.
 */
export const timeXer: ModelFactory<TimeXerOptions> = defineModel({
  name: "TimeXer",
  options,
  draw(b: Builder, o: Options) {
    const history = b.input("x_enc", [batch, o.inputLength, o.series]);
    const { normalized, restore } = o.normalize
      ? windowNormalization(b, history)
      : { normalized: history, restore: (forecast: Value) => forecast };
    const inverted = swapAxes(b, normalized, 1, 2);
    let x = ownTokens(b.scope("en_embedding"), inverted, o);
    const tokens =
      o.marks === 0
        ? inverted
        : concat(b, [inverted, swapAxes(b, b.input("x_mark_enc", [batch, o.inputLength, o.marks]), 1, 2)], 1);
    const all = dropout(b, linear(b, "ex_embedding.value_embedding", tokens, o.width), o.dropout);
    for (let i = 0; i < o.layers; i++) x = encoderLayer(b.scope(`encoder.layers.${i}`), x, all, o);
    const count = patchCount(o) + 1;
    const encoded = reshape(b, layerNorm(b, "encoder.norm", x), [batch, o.series, count, o.width]);
    const flat = reshape(b, transpose(b, encoded, [0, 1, 3, 2]), [batch, o.series, o.width * count]);
    const future = dropout(b, linear(b, "head.linear", flat, o.horizon), o.dropout);
    return { output: restore(swapAxes(b, future, 1, 2)) };
  },
  checkpoint: (tensors, o) => withoutUnused(tensors, { "en_embedding.position_embedding.pe": patchCount(o) }),
});

/** Number of whole patches; the model does not see the rest of the series. */
function patchCount({ inputLength, patchLength }: Options): number {
  return Math.floor(inputLength / patchLength);
}

/** Patches of each series, followed by its global token: x [batch, series, time] → [batch·series, patches + 1, width]. */
function ownTokens(b: Builder, x: Value, o: Options): Value {
  const { series, width, patchLength } = o;
  const count = patchCount(o);
  const cut = patches(b, x, { patchLength, stride: patchLength, padding: 0 });
  const flat = reshape(b, cut, [elementsOf([batch, series]), count, patchLength]);
  const embedded = linear(b, "value_embedding", flat, width, { bias: false });
  const placed = add(b, embedded, positionTable(b, "position_embedding", count, width));
  const token = b.parameter("glb_token", [1, series, 1, width], normal);
  const tokens = expand(b, token, [batch, series, 1, width]);
  const joined = concat(b, [reshape(b, placed, [batch, series, count, width]), tokens], 2);
  return dropout(b, reshape(b, joined, [elementsOf([batch, series]), count + 1, width]), o.dropout);
}

/** Attention over a series' own tokens, then of its global token over all series, then a feed-forward. */
function encoderLayer(b: Builder, x: Value, all: Value, o: Options): Value {
  const count = x.shape[1] as number;
  const drop = (value: Value) => dropout(b, value, o.dropout);
  const own = layerNorm(b, "norm1", add(b, x, drop(multiHeadAttention(b, "self_attention", x, x, o))));
  const token = slice(b, own, 1, count - 1, count);
  const bySeries = reshape(b, token, [batch, o.series, o.width]);
  const crossed = reshape(b, drop(multiHeadAttention(b, "cross_attention", bySeries, all, o)), token.shape);
  const global = layerNorm(b, "norm2", add(b, token, crossed));
  const joined = concat(b, [slice(b, own, 1, 0, count - 1), global], 1);
  return layerNorm(b, "norm3", add(b, joined, feedForward(b, joined, o)));
}
