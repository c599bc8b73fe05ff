import { float32 } from "@espalier/core";
import {
  add,
  type Builder,
  dropout,
  expectRoom,
  matMul,
  reduceSum,
  reshape,
  scale,
  softmax,
  transpose,
  type Value,
} from "@espalier/core/graph";
import { linear } from "./linear.ts";

/** Names of the four projections, which differ between implementations. */
export interface ProjectionNames {
  readonly query: string;
  readonly key: string;
  readonly value: string;
  readonly out: string;
}

const timeSeriesLibrary: ProjectionNames = {
  query: "query_projection",
  key: "key_projection",
  value: "value_projection",
  out: "out_projection",
};

/** Sizes of an attention, and the names and computations of its implementation. */
export interface AttentionOptions {
  readonly width: number;
  readonly heads: number;
  readonly dropout: number;
  readonly names?: ProjectionNames;
  /**
   * How queries and keys are combined: `dot`, Σᵢ qᵢ·kᵢ; `sums`, (Σᵢ qᵢ)·(Σⱼ kⱼ), which is what SEDIMARK's code computes
   * (its einsum names the two channel axes differently).
   */
  readonly scores?: "dot" | "sums";
  /** Restores in the scores [N, heads, L, S] what normalising the series removed, before 1/√channels. */
  readonly restore?: (b: Builder, scores: Value) => Value;
  /** Added to the scores [L, S]: 0 where a query may look, a large negative number elsewhere. */
  readonly mask?: Value;
}

/** A score that Softmax turns into 0. It is finite, because not every backend computes with infinities. */
const hidden = -1e9;

/** Lets row i of `rows` see only the first i + 1 of `columns`. One constant [rows, columns] for the whole drawing. */
export function causalMask(b: Builder, rows: number, columns: number): Value {
  expectRoom("the causal mask", [rows, columns]);
  const data = Float32Array.from({ length: rows * columns }, (_, i) =>
    i % columns > Math.floor(i / columns) ? hidden : 0,
  );
  return b.constant(float32([rows, columns], data), `causal_mask_${rows}_${columns}`);
}

/**
 * Multi-head attention (Vaswani et al., NeurIPS 2017): queries [N, L, D], keys and values from `memory` [N, S, D] → [N,
 * L, D]. Heads have ⌊width ÷ heads⌋ channels each, as in Time-Series-Library.
 */
export function multiHeadAttention(
  b: Builder,
  name: string,
  queries: Value,
  memory: Value,
  options: AttentionOptions,
): Value {
  const {
    width,
    heads,
    dropout: ratio,
    names = timeSeriesLibrary,
    scores: kind = "dot",
    mask,
    restore,
  } = options;
  const layer = b.scope(name);
  const channels = Math.floor(width / heads);
  /** By head, channels last (queries, values) or before the positions (keys). */
  const split = (projection: string, x: Value, perm: readonly number[]) => {
    const projected = linear(layer, projection, x, channels * heads);
    return transpose(layer, reshape(layer, projected, [x.shape[0]!, x.shape[1]!, heads, channels]), perm);
  };
  const met = (x: Value, axis: number) => (kind === "dot" ? x : reduceSum(layer, x, [axis], true));
  const q = met(split(names.query, queries, [0, 2, 1, 3]), 3);
  const k = met(split(names.key, memory, [0, 2, 3, 1]), 2);
  const v = split(names.value, memory, [0, 2, 1, 3]);
  const products = matMul(layer, q, k);
  const scores = scale(layer, restore?.(layer, products) ?? products, 1 / Math.sqrt(channels));
  const seen = mask === undefined ? scores : add(layer, scores, mask);
  const mixed = matMul(layer, dropout(layer, softmax(layer, seen, -1), ratio), v);
  const joined = reshape(layer, transpose(layer, mixed, [0, 2, 1, 3]), [
    queries.shape[0]!,
    queries.shape[1]!,
    heads * channels,
  ]);
  return linear(layer, names.out, joined, width);
}
