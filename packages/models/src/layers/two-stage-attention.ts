import {
  add,
  type Builder,
  batch,
  dropout,
  elementsOf,
  expand,
  gelu,
  normal,
  reshape,
  transpose,
  type Value,
} from "@espalier/core/graph";
import { type AttentionOptions, multiHeadAttention } from "./attention.ts";
import { linear } from "./linear.ts";
import { layerNorm } from "./norm.ts";

/** Sizes of a two-stage attention. */
export interface TwoStageOptions extends AttentionOptions {
  readonly feedForward: number;
  /** Routers per segment. */
  readonly factor: number;
}

/** Linear, GELU, linear, under the names of an `nn.Sequential`. */
export function mlp(b: Builder, name: string, x: Value, hidden: number, to: number): Value {
  const layer = b.scope(name);
  return linear(layer, "2", gelu(layer, linear(layer, "0", x, hidden)), to);
}

/**
 * Crossformer's two-stage attention (Zhang and Yan, ICLR 2023) over x [batch, series, segments, width]: attention over the
 * segments of each series, then over the series of each segment through a few learnt routers.
 */
export function twoStageAttention(b: Builder, name: string, x: Value, options: TwoStageOptions): Value {
  const [, series, segments, width] = x.shape as [unknown, number, number, number];
  const { feedForward, factor, dropout: ratio } = options;
  const layer = b.scope(name);
  const drop = (value: Value) => dropout(layer, value, ratio);

  const time = reshape(layer, x, [elementsOf([batch, series]), segments, width]);
  const attended = add(layer, time, drop(multiHeadAttention(layer, "time_attention", time, time, options)));
  const first = layerNorm(layer, "norm1", attended);
  const over = layerNorm(
    layer,
    "norm2",
    add(layer, first, drop(mlp(layer, "MLP1", first, feedForward, width))),
  );

  const bySegment = transpose(layer, reshape(layer, over, [batch, series, segments, width]), [0, 2, 1, 3]);
  const send = reshape(layer, bySegment, [elementsOf([batch, segments]), series, width]);
  const router = layer.parameter("router", [segments, factor, width], normal);
  const repeated = expand(layer, reshape(layer, router, [1, segments, factor, width]), [
    batch,
    segments,
    factor,
    width,
  ]);
  const routers = reshape(layer, repeated, [elementsOf([batch, segments]), factor, width]);
  const buffer = multiHeadAttention(layer, "dim_sender", routers, send, options);
  const receive = multiHeadAttention(layer, "dim_receiver", send, buffer, options);
  const third = layerNorm(layer, "norm3", add(layer, send, drop(receive)));
  const fourth = layerNorm(
    layer,
    "norm4",
    add(layer, third, drop(mlp(layer, "MLP2", third, feedForward, width))),
  );
  return transpose(layer, reshape(layer, fourth, [batch, segments, series, width]), [0, 2, 1, 3]);
}
