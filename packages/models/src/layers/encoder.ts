import { add, type Builder, dropout, gelu, relu, type Value } from "@espalier/core";
import { multiHeadAttention } from "./attention.ts";
import { pointwise } from "./linear.ts";
import { layerNorm } from "./norm.ts";

/** What lies between the two layers of a feed-forward. */
export type Activation = "gelu" | "relu";

/** Draws an activation. */
export function activate(b: Builder, x: Value, activation: Activation): Value {
  return activation === "gelu" ? gelu(b, x) : relu(b, x);
}

/** Sizes of an encoder layer. */
export interface EncoderLayerOptions {
  readonly width: number;
  readonly feedForward: number;
  readonly heads: number;
  readonly dropout: number;
  readonly activation: Activation;
}

/** Time-Series-Library's encoder layer: attention and a feed-forward of two kernel-1 convolutions, normalised after each. */
export function encoderLayer(b: Builder, name: string, x: Value, options: EncoderLayerOptions): Value {
  const { width, feedForward, dropout: ratio, activation } = options;
  const layer = b.scope(name);
  const attended = multiHeadAttention(layer, "attention", x, x, options);
  const middle = layerNorm(layer, "norm1", add(layer, x, dropout(layer, attended, ratio)));
  const hidden = dropout(
    layer,
    activate(layer, pointwise(layer, "conv1", middle, feedForward), activation),
    ratio,
  );
  const out = dropout(layer, pointwise(layer, "conv2", hidden, width), ratio);
  return layerNorm(layer, "norm2", add(layer, middle, out));
}
