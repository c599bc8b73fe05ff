import { add, type Builder, dropout, gelu, relu, type Value } from "@espalier/core/graph";
import { multiHeadAttention } from "./attention.ts";
import { pointwise } from "./linear.ts";
import { layerNorm } from "./norm.ts";

/** The activation between the two layers of a feed-forward. */
export type Activation = "gelu" | "relu";

/** Draws an activation. */
export function activate(b: Builder, x: Value, activation: Activation): Value {
  return activation === "gelu" ? gelu(b, x) : relu(b, x);
}

/** Draws an attention of `queries` over `memory` under a name. */
export type Attend = (b: Builder, name: string, queries: Value, memory: Value) => Value;

/** Sizes of the two layers after an attention. */
export interface FeedForwardOptions {
  readonly width: number;
  readonly feedForward: number;
  readonly dropout: number;
  readonly activation: Activation;
}

export interface EncoderLayerOptions extends FeedForwardOptions {
  readonly heads: number;
}

/** Two kernel-1 convolutions, `conv1` and `conv2`, with an activation between them and dropout after each. */
export function feedForward(
  b: Builder,
  x: Value,
  { width, feedForward: hidden, dropout: ratio, activation }: FeedForwardOptions,
  { bias = true } = {},
): Value {
  const active = dropout(b, activate(b, pointwise(b, "conv1", x, hidden, { bias }), activation), ratio);
  return dropout(b, pointwise(b, "conv2", active, width, { bias }), ratio);
}

/** Time-Series-Library's encoder layer: attention and a feed-forward of two kernel-1 convolutions, normalised after each. */
export function encoderLayer(
  b: Builder,
  name: string,
  x: Value,
  options: EncoderLayerOptions,
  attend: Attend = (layer, attention, queries, memory) =>
    multiHeadAttention(layer, attention, queries, memory, options),
): Value {
  const layer = b.scope(name);
  const attended = dropout(layer, attend(layer, "attention", x, x), options.dropout);
  const middle = layerNorm(layer, "norm1", add(layer, x, attended));
  return layerNorm(layer, "norm2", add(layer, middle, feedForward(layer, middle, options)));
}
