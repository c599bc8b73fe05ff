import {
  add,
  type Builder,
  cumSum,
  expand,
  gather,
  gatherND,
  matMul,
  randomStream,
  reduceMean,
  reduceSum,
  reshape,
  type Shape,
  scale,
  scatterND,
  softmax,
  sub,
  swapAxes,
  topK,
  transpose,
  type Value,
} from "@espalier/core/graph";
import { projectHeads } from "./auto-correlation.ts";
import { linear } from "./linear.ts";

export interface ProbSparseOptions {
  readonly width: number;
  readonly heads: number;
  /** Number of queries that attend: factor · ⌈ln length⌉, chosen by as many sampled keys each. */
  readonly factor: number;
  /** Seed of the sampled keys. */
  readonly seed: number;
  /** Added to the scores, like `causalMask`; absent for an attention without mask. */
  readonly mask?: Value;
}

/**
 * Informer's ProbSparse attention (Zhou et al., AAAI 2021): a sample of keys decides which queries stand out; those
 * attend, the others get the mean of all values or, with a mask, the sum of those up to their own row. queries [N, L,
 * D], memory [N, S, D] → [N, L, D]. As in the library, the whole batch uses one sample, there is no dropout, and a
 * result [heads, time, channels] is read as if it were [time, heads · channels].
 */
export function probSparseAttention(
  b: Builder,
  name: string,
  queries: Value,
  memory: Value,
  options: ProbSparseOptions,
): Value {
  const { mask } = options;
  const layer = b.scope(name);
  const projected = projectHeads(layer, queries, memory, options);
  const byHead = (x: Value) => transpose(layer, x, [0, 2, 1, 3]);
  const [q, k, v] = [byHead(projected.q), byHead(projected.k), byHead(projected.v)];
  const [n, heads, length, channels] = q.shape as [Shape[0], number, number, number];
  const chosen = count(options.factor, length);
  const [, ranked] = topK(layer, standingOut(layer, q, k, options), 2, chosen);
  const top = reshape(layer, ranked, [n!, heads, chosen, 1]);
  const products = matMul(layer, gatherND(layer, q, top, 2), swapAxes(layer, k, 2, 3));
  const scores = scale(layer, products, 1 / Math.sqrt(channels));
  const allowed = mask === undefined ? scores : add(layer, scores, gatherND(layer, mask, top));
  const attended = matMul(layer, softmax(layer, allowed, 3), v);
  const others =
    mask === undefined
      ? expand(layer, reduceMean(layer, v, [2], true), [n!, heads, length, channels])
      : cumSum(layer, v, 2);
  const mixed = scatterND(layer, others, top, attended, { batchDims: 2 });
  return linear(
    layer,
    "out_projection",
    reshape(layer, mixed, [n!, length, heads * channels]),
    options.width,
  );
}

/** factor · ⌈ln length⌉, at most all. */
function count(factor: number, length: number): number {
  return Math.min(Math.max(1, factor * Math.ceil(Math.log(length))), length);
}

/** Largest score of each query among sampled keys, minus the sum of them ÷ the number of keys: [N, heads, L]. */
function standingOut(b: Builder, q: Value, k: Value, { factor, seed }: ProbSparseOptions): Value {
  const [n, heads, length, channels] = q.shape as [Shape[0], number, number, number];
  const keys = k.shape[2] as number;
  const size = count(factor, keys);
  const random = randomStream(seed, `${b.prefix}.sample`);
  const sample = b.indices(
    "sample",
    [length, size],
    Array.from({ length: length * size }, () => Math.floor(random() * keys)),
  );
  const sampled = transpose(b, gather(b, k, sample, 2), [0, 1, 2, 4, 3]);
  const products = matMul(b, reshape(b, q, [n!, heads, length, 1, channels]), sampled);
  const scores = reshape(b, products, [n!, heads, length, size]);
  const [largest] = topK(b, scores, 3, 1);
  return sub(b, reshape(b, largest, [n!, heads, length]), scale(b, reduceSum(b, scores, [3]), 1, keys));
}
