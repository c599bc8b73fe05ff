import { add, type Builder, dropout, elementsOf, gather, reshape, type Value } from "@espalier/core/graph";
import { linear } from "./linear.ts";
import { positionTable } from "./positions.ts";

/** Length and distance of patches, and how many times the last value is repeated after the series. */
export interface PatchOptions {
  readonly patchLength: number;
  readonly stride: number;
  readonly padding: number;
}

/** Number of patches of a series. */
export function patchCount(length: number, { patchLength, stride, padding }: PatchOptions): number {
  return Math.floor((length + padding - patchLength) / stride) + 1;
}

/**
 * Cuts the last axis [batch, series, time] into patches: [batch, series, patches, patchLength]. Padding after (or, with
 * `before`, before) the series repeats the edge value. One Gather with indices that stop at the edge.
 */
export function patches(b: Builder, x: Value, options: PatchOptions & { readonly before?: boolean }): Value {
  const length = x.shape.at(-1) as number;
  const { patchLength, stride, padding, before = false } = options;
  const count = patchCount(length, options);
  const shift = before ? padding : 0;
  const indices = Array.from({ length: count * patchLength }, (_, i) => {
    const at = Math.floor(i / patchLength) * stride + (i % patchLength) - shift;
    return Math.min(Math.max(at, 0), length - 1);
  });
  return gather(b, x, b.indices("patch_indices", [count, patchLength], indices), -1);
}

/** Time-Series-Library's `PatchEmbedding`: x [batch, series, time] → [batch·series, patches, width]. */
export function patchEmbedding(
  b: Builder,
  name: string,
  x: Value,
  width: number,
  options: PatchOptions & { readonly dropout: number },
): Value {
  const layer = b.scope(name);
  const cut = patches(layer, x, options);
  const [n, series, count, length] = cut.shape;
  const tokens = reshape(layer, cut, [elementsOf([n!, series!]), count!, length!]);
  const embedded = linear(layer, "value_embedding", tokens, width, { bias: false });
  const table = positionTable(layer, "position_embedding", count as number, width);
  return dropout(layer, add(layer, embedded, table), options.dropout);
}
