import { add, type Builder, dropout, type Value } from "@espalier/core/graph";
import { type Attend, type EncoderLayerOptions, feedForward } from "./encoder.ts";
import { layerNorm } from "./norm.ts";

/**
 * Time-Series-Library's decoder layer: attention over the decoder's own rows, attention over the encoder's, and a
 * feed-forward of two kernel-1 convolutions, normalised after each.
 */
export function decoderLayer(
  b: Builder,
  name: string,
  x: Value,
  memory: Value,
  attend: { readonly self: Attend; readonly cross: Attend },
  options: EncoderLayerOptions,
): Value {
  const layer = b.scope(name);
  const drop = (value: Value) => dropout(layer, value, options.dropout);
  const own = drop(attend.self(layer, "self_attention", x, x));
  const first = layerNorm(layer, "norm1", add(layer, x, own));
  const crossed = drop(attend.cross(layer, "cross_attention", first, memory));
  const second = layerNorm(layer, "norm2", add(layer, first, crossed));
  return layerNorm(layer, "norm3", add(layer, second, feedForward(layer, second, options)));
}
