import type { Builder, Value } from "../graph/builder.ts";
import type { Shape } from "../graph/extent.ts";
import { ndarray, zip } from "../reference/array.ts";
import { checkNumbers, defineOperator, type Operator, zeroForZero } from "./operator.ts";

/** Mixes 32 bits so that every input bit moves every output bit (the finaliser of MurmurHash3, public domain). */
export function mix32(x: number): number {
  let h = x | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** The key of a stream of random numbers, unique to seed, step and node. Integer arithmetic, equal on every machine. */
export function randomKey(seed: number, step: number, stream: number): number {
  return mix32(mix32(mix32(seed ^ 0x9e3779b9) ^ step) ^ stream);
}

/** Element `index` of a stream, uniform in [0, 1) with 24 bits, so that float32 holds it exactly. */
export function randomAt(key: number, index: number): number {
  return (mix32(key ^ mix32(index + 0x632be5ab)) >>> 8) / 0x1000000;
}

/** Fills an array with elements 0, 1, … of a stream, equal to those of `randomAt`. */
export function fillRandom(key: number, into: Float32Array | Float64Array): void {
  for (let i = 0; i < into.length; i++) into[i] = randomAt(key, i);
}

/** A generator over one stream, for initialisation and sampling outside graphs. */
export function randomStream(seed: number, name: string): () => number {
  const key = randomKey(seed, 0, streamOf(name));
  let index = 0;
  return () => randomAt(key, index++);
}

/** The stream number of a name (FNV-1a). */
export function streamOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** The shape of the random numbers, and their stream. */
export type RandomAttributes = { readonly shape: Shape; readonly stream: number };

/**
 * Uniform numbers in [0, 1) as an exact function of (seed, step, stream, element). Inputs seed, step: scalars that hold
 * integers. All randomness in graphs (dropout, sampling) comes from this operator.
 */
export const randomUniformOperator: Operator<RandomAttributes> = defineOperator<RandomAttributes>({
  name: "RandomUniform",
  arity: 2,
  infer(_inputs, { shape, stream }) {
    checkNumbers({ stream });
    return [{ dtype: "float32", shape }];
  },
  couple(coupling, _inputs, [y]) {
    for (const axis of y!.axes) coupling.fixed(axis, "random numbers are drawn along it");
  },
  evaluate([seed, step], { stream }, [shape]) {
    const out = ndarray(shape!);
    const key = randomKey(seed!.data[0]!, step!.data[0]!, stream);
    fillRandom(key, out.data);
    return [out];
  },
});

/** Share of values to drop, in [0, 1). */
export type RatioAttributes = { readonly ratio: number };

/** Does nothing during evaluation; drops values during training. ONNX `Dropout`. Srivastava et al., JMLR 2014. */
export const dropoutOperator: Operator<RatioAttributes> = defineOperator<RatioAttributes>({
  name: "Dropout",
  arity: 1,
  simplify: zeroForZero,
  infer([x], { ratio }) {
    checkNumbers({ ratio });
    return [x!];
  },
  couple: (coupling, [x], [y]) => coupling.sameAll(x!, y!),
  gradient: (_b, { gradients }) => [gradients[0]],
  train(b, [x], { ratio }, { seed, step, node }) {
    const attributes = { shape: x!.shape, stream: streamOf(node) };
    const uniform = b.apply(randomUniformOperator, [seed, step], attributes);
    return [b.apply(dropoutTraining, [x!, uniform], { ratio })];
  },
  evaluate: ([x]) => [x!],
});

/** x / (1 − ratio) where the uniform number is at least the ratio, zero elsewhere: (x, uniform) → y. */
export const dropoutTraining: Operator<RatioAttributes> = defineOperator<RatioAttributes>({
  name: "DropoutTraining",
  arity: 2,
  infer: ([x]) => [x!],
  couple(coupling, [x, uniform], [y]) {
    coupling.sameAll(x!, y!);
    coupling.sameAll(uniform!, y!);
  },
  gradient: (b, { inputs, gradients, attributes }) => [
    gradients[0] && b.apply(dropoutTraining, [gradients[0], inputs[1]!], attributes),
    undefined,
  ],
  evaluate: ([x, uniform], { ratio }) => [
    zip(x!, uniform!, x!.shape, (v, u) => (u >= ratio ? v / (1 - ratio) : 0)),
  ],
});

/** Draws a dropout, unless the ratio is 0. */
export function dropout(b: Builder, x: Value, ratio: number): Value {
  return ratio === 0 ? x : b.apply(dropoutOperator, [x], { ratio });
}
