import { float32 } from "@espalier/core";
import {
  add,
  type Builder,
  batch,
  clip,
  concat,
  defineModel,
  div,
  dropout,
  elementsOf,
  expand,
  type ModelFactory,
  maxPool,
  mul,
  normal,
  reduceMean,
  relu,
  reshape,
  scale,
  slice,
  swapAxes,
  type Value,
} from "@espalier/core/graph";
import { z } from "zod";
import { withoutUnused } from "./checkpoints.ts";
import { multiHeadAttention } from "./layers/attention.ts";
import { activate } from "./layers/encoder.ts";
import { linear } from "./layers/linear.ts";
import { batchNorm, layerNorm } from "./layers/norm.ts";
import { patchCount, patches } from "./layers/patches.ts";
import { sinusoids } from "./layers/positions.ts";
import { type NormalizedWindow, windowNormalization } from "./layers/window-normalization.ts";
import { depth, headsDivide, headsMessage, lengths, width } from "./options.ts";

const ratio = z.number().min(0).lt(1).default(0);

const options = z
  .strictObject({
    ...lengths,
    width: width.default(128),
    feedForward: width.default(512),
    heads: width.default(4),
    layers: depth.default(3),
    activation: z.enum(["gelu", "relu"]).default("gelu"),
    patchLength: width.default(16),
    stride: width.default(8),
    /** How each window is scaled: to mean 0 and deviation 1, by its mean absolute value, or not at all. */
    scaling: z.enum(["std", "mean", "none"]).default("std"),
    norm: z.enum(["batch", "layer"]).default("batch"),
    /** Normalise before attention and feed-forward, instead of after their residual. */
    preNorm: z.boolean().default(true),
    epsilon: z.number().positive().lt(1).default(1e-5),
    positions: z.enum(["sinusoidal", "learned"]).default("sinusoidal"),
    /** One embedding of patches for all series, instead of one for each. */
    sharedEmbedding: z.boolean().default(true),
    /** Attend over the series, too, with the same weights. */
    seriesAttention: z.boolean().default(false),
    /** Biases of the feed-forward. */
    feedForwardBias: z.boolean().default(true),
    /** Forecast from a token of its own, which precedes the patches. */
    classToken: z.boolean().default(false),
    /** How patches become one vector for the forecast; `none` forecasts from all of them. */
    pooling: z.enum(["none", "mean", "max"]).default("mean"),
    /** Shares of values dropped in training. */
    dropout: z
      .strictObject({ attention: ratio, positions: ratio, path: ratio, feedForward: ratio, head: ratio })
      .prefault({}),
  })
  .refine(headsDivide, headsMessage)
  .refine((o) => o.inputLength > o.patchLength, {
    message: "must be longer than a patch",
    path: ["inputLength"],
  });

/** Options of a PatchTST of transformers; all have defaults. */
export type HuggingFacePatchTSTOptions = z.input<typeof options>;
type Options = z.output<typeof options>;

/**
 * Patches of each series as tokens (Nie et al., ICLR 2023), following `PatchTSTForPrediction` of Hugging Face's
 * transformers, which differs from Time-Series-Library's in norms, embedding and head. x_enc [batch, inputLength,
 * series] → output [batch, horizon, series]. Prunable: embedding, feed-forward, heads and the channels inside them.
 */
export const huggingFacePatchTST: ModelFactory<HuggingFacePatchTSTOptions> = defineModel({
  name: "HuggingFacePatchTST",
  options,
  draw(b: Builder, o: Options) {
    const history = b.input("x_enc", [batch, o.inputLength, o.series]);
    const { normalized, restore } = scaling(b, history, o);
    const encoder = b.scope("model.encoder");
    let x = withPositions(encoder, embedding(encoder, normalized, o), o);
    for (let i = 0; i < o.layers; i++) x = encoderLayer(encoder.scope(`layers.${i}`), x, o);
    const pooled = dropout(b, pool(b, x, o), o.dropout.head);
    return { output: restore(swapAxes(b, linear(b, "head.projection", pooled, o.horizon), 1, 2)) };
  },
  checkpoint: (tensors) => withoutUnused(tensors, {}),
});

/** Scales each series of each window [batch, time, series]. */
function scaling(b: Builder, x: Value, o: Options): Pick<NormalizedWindow, "normalized" | "restore"> {
  if (o.scaling === "none") return { normalized: x, restore: (forecast) => forecast };
  if (o.scaling === "std") return windowNormalization(b, x);
  const absolute = add(b, relu(b, x), relu(b, scale(b, x, -1)));
  const size = clip(b, reduceMean(b, absolute, [1], true), { min: 1e-10 });
  return { normalized: div(b, x, size), restore: (forecast) => mul(b, forecast, size) };
}

/** Embedded patches: x [batch, time, series] → [batch, series, patches, width]. Rows too many are left out at the start. */
function embedding(b: Builder, x: Value, o: Options): Value {
  const count = patchCount(o.inputLength, { ...o, padding: 0 });
  const start = o.inputLength - o.patchLength - o.stride * (count - 1);
  const bySeries = swapAxes(b, slice(b, x, 1, start, o.inputLength), 1, 2);
  const cut = patches(b, bySeries, { ...o, padding: 0 });
  const name = "embedder.input_embedding";
  if (o.sharedEmbedding) return linear(b, name, cut, o.width);
  const each = Array.from({ length: o.series }, (_, i) =>
    linear(b, `${name}.${i}`, slice(b, cut, 1, i, i + 1), o.width),
  );
  return concat(b, each, 1);
}

/** Adds positions to x [batch, series, patches, width], and puts the class token before them. */
function withPositions(b: Builder, x: Value, o: Options): Value {
  const layer = b.scope("positional_encoder");
  const rows = (x.shape[2] as number) + (o.classToken ? 1 : 0);
  const table =
    o.positions === "learned"
      ? layer.parameter("position_enc", [rows, o.width], normal)
      : layer.buffer("position_enc", float32([rows, o.width], centredSinusoids(rows, o.width)));
  const placed = (tokens: Value, from: number, to: number) =>
    add(layer, tokens, from === 0 && to === rows ? table : slice(layer, table, 0, from, to));
  if (!o.classToken) return dropout(layer, placed(x, 0, rows), o.dropout.positions);
  const own = layer.parameter("cls_token", [1, 1, 1, o.width], (...given) =>
    normal(...given).map((value) => 0.02 * value),
  );
  const token = expand(layer, placed(own, 0, 1), [batch, o.series, 1, o.width]);
  return concat(layer, [token, dropout(layer, placed(x, 1, rows), o.dropout.positions)], 2);
}

/** Sinusoidal positions with mean 0 and deviation 0.1. */
function centredSinusoids(rows: number, width: number): Float32Array {
  const table = sinusoids(rows, width);
  const mean = table.reduce((sum, value) => sum + value, 0) / table.length;
  const squares = table.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const deviation = Math.sqrt(squares / Math.max(1, table.length - 1)) || 1;
  return table.map((value) => (value - mean) / (10 * deviation));
}

/** Attention over the patches of each series (then over the series at each patch), and a feed-forward. */
function encoderLayer(b: Builder, x: Value, o: Options): Value {
  const count = x.shape[2] as number;
  const byPatch = sublayer(b, 1, merged(b, x), o, (value) => attention(b, value, o));
  const ofSeries = reshape(b, byPatch, x.shape);
  const mixed = o.seriesAttention ? acrossSeries(b, ofSeries, o) : ofSeries;
  const out = sublayer(b, 3, merged(b, mixed), o, (value) => {
    const bias = { bias: o.feedForwardBias };
    const hidden = activate(b, linear(b, "ff.0", value, o.feedForward, bias), o.activation);
    return linear(b, "ff.3", dropout(b, hidden, o.dropout.feedForward), o.width, bias);
  });
  return reshape(b, out, [batch, o.series, count, o.width]);
}

function acrossSeries(b: Builder, x: Value, o: Options): Value {
  const turned = swapAxes(b, x, 1, 2);
  const attended = sublayer(b, 2, merged(b, turned), o, (value) => attention(b, value, o));
  return swapAxes(b, reshape(b, attended, turned.shape), 1, 2);
}

/** [N, M, T, width] → [N·M, T, width]. */
function merged(b: Builder, x: Value): Value {
  return reshape(b, x, [elementsOf(x.shape.slice(0, 2)), x.shape[2]!, x.shape[3]!]);
}

/** A residual around `inside`, normalised before or after. */
function sublayer(b: Builder, index: number, x: Value, o: Options, inside: (x: Value) => Value): Value {
  const name = `norm_sublayer${index}`;
  const norm = (value: Value) =>
    o.norm === "batch"
      ? batchNorm(b, `${name}.batchnorm`, value, o.epsilon)
      : layerNorm(b, name, value, o.epsilon);
  const drop = (value: Value) => dropout(b, value, o.dropout.path);
  return o.preNorm ? add(b, x, drop(inside(norm(x)))) : norm(add(b, x, drop(inside(x))));
}

const names = { query: "q_proj", key: "k_proj", value: "v_proj", out: "out_proj" };

function attention(b: Builder, x: Value, { width, heads, dropout }: Options): Value {
  return multiHeadAttention(b, "self_attn", x, x, { width, heads, dropout: dropout.attention, names });
}

/** The vector that a series is forecast from: x [batch, series, tokens, width] → [batch, series, width or tokens · width]. */
function pool(b: Builder, x: Value, o: Options): Value {
  const tokens = x.shape[2] as number;
  if (o.classToken) return reshape(b, slice(b, x, 2, 0, 1), [batch, o.series, o.width]);
  if (o.pooling === "mean") return reduceMean(b, x, [2]);
  if (o.pooling === "max")
    return reshape(b, maxPool(b, x, 2, { kernel: tokens }), [batch, o.series, o.width]);
  return reshape(b, x, [batch, o.series, tokens * o.width]);
}
