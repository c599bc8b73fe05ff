import { type Builder, batch, concat, reshape, slice, type Value } from "@espalier/core/graph";
import { linear } from "./linear.ts";
import { layerNorm } from "./norm.ts";

/**
 * Joins each `window` neighbouring segments of x [batch, series, segments, width] into one of the same width. Missing
 * segments at the end repeat the last ones. Concatenating them along features is a reshape.
 */
export function segmentMerging(
  b: Builder,
  name: string,
  x: Value,
  window: number,
  linearName: string,
): Value {
  const [, series, segments, width] = x.shape as [unknown, number, number, number];
  const layer = b.scope(name);
  const missing = (window - (segments % window)) % window;
  const full = missing === 0 ? x : concat(layer, [x, slice(layer, x, 2, segments - missing, segments)], 2);
  const joined = reshape(layer, full, [batch, series, (segments + missing) / window, window * width]);
  return linear(layer, linearName, layerNorm(layer, "norm", joined), width);
}
