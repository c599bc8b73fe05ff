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
  uniformFanIn,
  type Value,
} from "@espalier/core/graph";
import { z } from "zod";
import { multiHeadAttention, type ProjectionNames } from "./layers/attention.ts";
import { linear } from "./layers/linear.ts";
import { layerNorm } from "./layers/norm.ts";
import { patches } from "./layers/patches.ts";
import { segmentMerging } from "./layers/segment-merging.ts";
import { twoStageAttention } from "./layers/two-stage-attention.ts";
import { dropoutRatio, headsDivide, headsMessage, width } from "./options.ts";

const names: ProjectionNames = { query: "q_proj", key: "k_proj", value: "v_proj", out: "out_proj" };
const attention = { names, scores: "sums" } as const;

const options = z
  .strictObject({
    inputLength: width.default(24),
    horizon: width.default(24),
    series: width.default(8),
    segmentLength: width.default(2),
    /** Segments joined from one scale to the next. */
    window: z.int().min(2).default(4),
    factor: width.default(10),
    width: width.default(256),
    feedForward: width.default(512),
    heads: width.default(8),
    /** Scales of the encoder. */
    blocks: width.default(3),
    dropout: dropoutRatio.default(0.2),
    /**
     * `asPublished`: one decoder layer, which reads only the embedding, so that no encoder block reaches the output.
     * `connected`: a decoder layer for every scale, as in the paper.
     */
    variant: z.enum(["asPublished", "connected"]).default("asPublished"),
  })
  .refine(headsDivide, headsMessage);

/** Options of SEDIMARK's Crossformer, including its variant; all have defaults. */
export type SedimarkCrossformerOptions = z.input<typeof options>;
type Options = z.output<typeof options>;

/**
 * SEDIMARK's own Crossformer (University of Surrey), whose pruning this project continues, as its code executes it.
 * x_enc [batch, inputLength, series] → output [batch, horizon, series]. Its decoder's MLPs are never called: no output
 * depends on their parameters, in either variant. Its attention multiplies the sum over a query's channels with the sum
 * over a key's, so the channels of queries and of keys are separate dimensions.
 */
export const sedimarkCrossformer: ModelFactory<SedimarkCrossformerOptions> = defineModel({
  name: "SedimarkCrossformer",
  options,
  draw(b: Builder, o: Options) {
    const { series, segmentLength, width } = o;
    const history = swapAxes(b, b.input("x_enc", [batch, o.inputLength, series]), 1, 2);
    const segments = Math.ceil(o.inputLength / segmentLength);
    const padding = segments * segmentLength - o.inputLength;
    const cut = patches(b, history, {
      patchLength: segmentLength,
      stride: segmentLength,
      padding,
      before: true,
    });
    const embedded = linear(b, "enc_embedding.linear", cut, width);
    let x = layerNorm(
      b,
      "norm",
      add(b, embedded, b.parameter("enc_pos", [1, series, segments, width], normal)),
    );
    const scales: Value[] = [x];
    for (let i = 0; i < o.blocks; i++) {
      const block = b.scope(`encoder.encoder.${i}`);
      if (i > 0) x = segmentMerging(block, "merge", x, o.window, "linear");
      x = twoStageAttention(block, "encode_layer.0", x, { ...o, ...attention });
      scales.push(x);
    }
    const future = decode(b, o.variant === "connected" ? scales : scales.slice(0, 1), o);
    return { output: slice(b, future, 1, 0, o.horizon) };
  },
});

function decode(b: Builder, scales: readonly Value[], o: Options): Value {
  const { series, segmentLength, width } = o;
  const segments = Math.ceil(o.horizon / segmentLength);
  const position = b.parameter("dec_pos_embedding", [1, series, segments, width], normal);
  let x = expand(b, position, [batch, series, segments, width]);
  let forecast: Value | undefined;
  scales.forEach((memory, i) => {
    const layer = b.scope(`decoder.layers.${i}`);
    const tokens = elementsOf([batch, series]);
    const self = reshape(layer, twoStageAttention(layer, "self_attention", x, { ...o, ...attention }), [
      tokens,
      segments,
      width,
    ]);
    const cross = reshape(layer, memory, [tokens, memory.shape[2]!, width]);
    const attended = dropout(
      layer,
      multiHeadAttention(layer, "cross_attention", self, cross, { ...o, ...attention }),
      o.dropout,
    );
    const middle = layerNorm(layer, "norm_1", add(layer, self, attended));
    for (const name of ["mlp.0", "mlp.2"]) {
      layer.parameter(`${name}.weight`, [width, width], uniformFanIn(width));
      layer.parameter(`${name}.bias`, [width], uniformFanIn(width));
    }
    const out = layerNorm(layer, "norm_2", add(layer, middle, middle));
    x = reshape(layer, out, [batch, series, segments, width]);
    const part = linear(layer, "linear_predict", x, segmentLength);
    forecast = forecast === undefined ? part : add(layer, forecast, part);
  });
  return reshape(b, transpose(b, forecast!, [0, 2, 3, 1]), [batch, segments * segmentLength, series]);
}
