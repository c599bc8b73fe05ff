import {
  add,
  type Builder,
  batch,
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
import { linear } from "./layers/linear.ts";
import { layerNorm } from "./layers/norm.ts";
import { patchEmbedding } from "./layers/patches.ts";
import { segmentMerging } from "./layers/segment-merging.ts";
import { mlp, twoStageAttention } from "./layers/two-stage-attention.ts";
import { depth, dropoutRatio, headsDivide, headsMessage, lengths, width } from "./options.ts";

const options = z
  .strictObject({
    ...lengths,
    width: width.default(256),
    feedForward: width.default(512),
    heads: width.default(4),
    /** Scales of the encoder; the decoder has one layer more. */
    layers: depth.default(3),
    dropout: dropoutRatio,
    /** Routers per segment. */
    factor: width.default(3),
    segmentLength: width.default(12),
    /** Segments joined from one scale to the next. */
    window: z.int().min(2).default(2),
  })
  .refine(headsDivide, headsMessage);

/** Options of a Crossformer; all have defaults. */
export type CrossformerOptions = z.input<typeof options>;
type Options = z.output<typeof options>;

/**
 * Attention over time and over series in turn, at several scales (Zhang and Yan, ICLR 2023), as Time-Series-Library has
 * it. x_enc [batch, inputLength, series] → output [batch, horizon, series].
 * Prunable: the embedding of encoder and decoder, feed-forward widths, heads and the channels inside them.
 */
export const crossformer: ModelFactory<CrossformerOptions> = defineModel({
  name: "Crossformer",
  options,
  draw(b: Builder, o: Options) {
    const { series, segmentLength } = o;
    const history = swapAxes(b, b.input("x_enc", [batch, o.inputLength, series]), 1, 2);
    const segments = Math.ceil(o.inputLength / segmentLength);
    const padding = segments * segmentLength - o.inputLength;
    const embedding = { patchLength: segmentLength, stride: segmentLength, padding, dropout: 0 };
    const embedded = patchEmbedding(b, "enc_value_embedding", history, o.width, embedding);
    const position = b.parameter("enc_pos_embedding", [1, series, segments, o.width], normal);
    let x = layerNorm(
      b,
      "pre_norm",
      add(b, reshape(b, embedded, [batch, series, segments, o.width]), position),
    );
    const scales: Value[] = [x];
    for (let i = 0; i < o.layers; i++) {
      const block = b.scope(`encoder.encode_blocks.${i}`);
      if (i > 0) x = segmentMerging(block, "merge_layer", x, o.window, "linear_trans");
      x = twoStageAttention(block, "encode_layers.0", x, o);
      scales.push(x);
    }
    const future = decode(b, scales, o);
    const rows = future.shape[1] as number;
    return { output: slice(b, future, 1, rows - o.horizon, rows) };
  },
  checkpoint: (tensors, o) =>
    withoutUnused(tensors, {
      "enc_value_embedding.position_embedding.pe": Math.ceil(o.inputLength / o.segmentLength),
    }),
});

/**
 * One decoder layer per scale, including the embedding; their forecasts are summed: [batch, segments · segmentLength,
 * series].
 */
function decode(b: Builder, scales: readonly Value[], o: Options): Value {
  const { series, segmentLength, width } = o;
  const segments = Math.ceil(o.horizon / segmentLength);
  const position = b.parameter("dec_pos_embedding", [1, series, segments, width], normal);
  let x = expand(b, position, [batch, series, segments, width]);
  let forecast: Value | undefined;
  scales.forEach((memory, i) => {
    const layer = b.scope(`decoder.decode_layers.${i}`);
    const tokens = elementsOf([batch, series]);
    const self = reshape(layer, twoStageAttention(layer, "self_attention", x, o), [tokens, segments, width]);
    const cross = reshape(layer, memory, [tokens, memory.shape[2]!, width]);
    const attended = dropout(layer, multiHeadAttention(layer, "cross_attention", self, cross, o), o.dropout);
    const middle = layerNorm(layer, "norm1", add(layer, self, attended));
    const out = layerNorm(layer, "norm2", add(layer, middle, mlp(layer, "MLP1", middle, width, width)));
    x = reshape(layer, out, [batch, series, segments, width]);
    const part = linear(layer, "linear_pred", x, segmentLength);
    forecast = forecast === undefined ? part : add(layer, forecast, part);
  });
  return reshape(b, transpose(b, forecast!, [0, 2, 3, 1]), [batch, segments * segmentLength, series]);
}
