import {
  add,
  type Builder,
  concat,
  expand,
  gatherND,
  inverseRealDft,
  mul,
  pad,
  realDft,
  reduceSum,
  reshape,
  type Shape,
  scale,
  slice,
  softmax,
  sub,
  topK,
  type Value,
} from "@espalier/core/graph";
import { linear } from "./linear.ts";

export interface AutoCorrelationOptions {
  readonly width: number;
  readonly heads: number;
  /** Number of aggregated delays: ⌊factor · ln length⌋. */
  readonly factor: number;
}

/** The projections of an attention with Time-Series-Library's names, split into heads: [N, L, heads, channels]. */
export function projectHeads(
  layer: Builder,
  queries: Value,
  memory: Value,
  { width, heads }: { readonly width: number; readonly heads: number },
): { readonly q: Value; readonly k: Value; readonly v: Value } {
  const channels = Math.floor(width / heads);
  const split = (name: string, x: Value) =>
    reshape(layer, linear(layer, name, x, heads * channels), [x.shape[0]!, x.shape[1]!, heads, channels]);
  return {
    q: split("query_projection", queries),
    k: split("key_projection", memory),
    v: split("value_projection", memory),
  };
}

/**
 * Autoformer's attention (Wu et al., NeurIPS 2021): the correlation of queries and keys at every delay, computed by the
 * Fourier transform, decides which delays matter; the values at those delays are averaged. queries [N, L, D], memory
 * [N, S, D] → [N, L, D]. In evaluation each sample uses its own delays, in training all samples of the batch use the
 * same.
 */
export function autoCorrelation(
  b: Builder,
  name: string,
  queries: Value,
  memory: Value,
  options: AutoCorrelationOptions,
): Value {
  const layer = b.scope(name);
  const length = queries.shape[1] as number;
  const { q, k, v } = projectHeads(layer, queries, memory, options);
  const correlation = meanCorrelation(layer, q, ofLength(layer, k, length));
  const delays = Math.min(aggregatedDelays(options.factor, length), correlation.shape[1] as number);
  const [strengths, positions] = topK(layer, correlation, 1, delays, true);
  const mixed = atDelays(layer, ofLength(layer, v, length), positions, softmax(layer, strengths, 1));
  const [n, , heads, channels] = mixed.shape as [Shape[0], number, number, number];
  return linear(layer, "out_projection", reshape(layer, mixed, [n, length, heads * channels]), options.width);
}

/** Number of delays aggregated over `length` rows: ⌊factor · ln length⌋. */
export function aggregatedDelays(factor: number, length: number): number {
  return Math.floor(factor * Math.log(length));
}

/** The first `length` rows of x [N, S, …], padded with zeros at the end. */
function ofLength(b: Builder, x: Value, length: number): Value {
  const rows = x.shape[1] as number;
  return rows < length ? pad(b, x, 1, 0, length - rows) : slice(b, x, 1, 0, length);
}

/**
 * Σₜ q(t + delay) · k(t) for every delay, averaged over heads and channels: q, k [N, L, H, E] → [N, 2 · ⌊L ÷ 2⌋]. The
 * spectrum is averaged before the inverse transform, which is linear. The library transforms back without giving the
 * length, so that an odd one loses its last delay, and the others are those of a signal one row shorter.
 */
function meanCorrelation(b: Builder, q: Value, k: Value): Value {
  const [n, length, heads, channels] = q.shape as [Shape[0], number, number, number];
  const [qr, qi] = parts(b, realDft(b, q, 1));
  const [kr, ki] = parts(b, realDft(b, k, 1));
  const mean = (x: Value) => scale(b, reduceSum(b, x, [2, 3]), 1, heads * channels);
  const real = mean(add(b, mul(b, qr, kr), mul(b, qi, ki)));
  const imaginary = mean(sub(b, mul(b, qi, kr), mul(b, qr, ki)));
  const spectrum = concat(b, [real, imaginary], 2);
  const delays = 2 * Math.floor(length / 2);
  return reshape(b, inverseRealDft(b, spectrum, 1, delays), [n!, delays]);
}

/** Real and imaginary part of a spectrum […, 2], each […, 1]. */
export function parts(b: Builder, spectrum: Value): [Value, Value] {
  return [slice(b, spectrum, -1, 0, 1), slice(b, spectrum, -1, 1, 2)];
}

/** Σᵢ weightᵢ · v(t + delayᵢ), wrapping around the end: v [N, L, H, E], delays and weights [N, k] → [N, L, H, E]. */
function atDelays(b: Builder, v: Value, delays: Value, weights: Value): Value {
  const [n, length, heads] = v.shape as [Shape[0], number, number];
  const count = delays.shape[1]!;
  const rows = b.indices(
    "rows",
    [length],
    Array.from({ length }, (_, row) => row),
  );
  const positions = add(b, reshape(b, delays, [n!, count, 1]), rows);
  const twice = concat(b, [v, v], 1);
  const shifted = gatherND(b, twice, reshape(b, positions, [n!, count, length, 1]), 1);
  // Repeated for each head, which makes the head a batch axis of the product.
  const perHead = expand(b, reshape(b, weights, [n!, count, 1, 1, 1]), [n!, count, 1, heads, 1]);
  return reduceSum(b, mul(b, shifted, perHead), [1]);
}
