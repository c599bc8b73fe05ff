import {
  type Builder,
  gather,
  type Initializer,
  inverseRealDft,
  onesidedFrequencies,
  pad,
  realDft,
  reshape,
  type Shape,
  scale,
  slice,
  tanh,
  transpose,
  type Value,
} from "@espalier/core/graph";
import { projectHeads } from "./auto-correlation.ts";
import { type Complex, complexMatMul, complexOf, complexTranspose, each, spectrumOf } from "./complex.ts";
import { linear } from "./linear.ts";

export interface FourierOptions {
  readonly width: number;
  readonly heads: number;
}

/** Learnt factors of every mode: [heads, channels in, channels out, modes]. */
export type FourierWeights = Complex;

/** The weights of a Fourier block or cross-attention, initialised uniformly in [0, 1 ÷ width²). */
export function fourierWeights(
  b: Builder,
  name: string,
  { width, heads }: FourierOptions,
  modes: number,
): FourierWeights {
  const channels = width / heads;
  const start: Initializer = (shape, random) =>
    Float32Array.from({ length: shape.reduce((n, extent) => n * extent, 1) }, () => random() / width ** 2);
  const part = (of: string) => b.parameter(`${name}.${of}`, [heads, channels, channels, modes], start);
  return { real: part("weights1"), imaginary: part("weights2") };
}

/** Other names of weights that several layers share. */
export function aliasWeights(b: Builder, name: string, { real, imaginary }: FourierWeights): void {
  b.alias(`${name}.weights1`, real);
  b.alias(`${name}.weights2`, imaginary);
}

/** A Fourier block's or cross-attention's result [N, heads, channels, L], read as if it were [N, L, heads · channels]. */
function project(layer: Builder, mixed: Value, { width }: FourierOptions): Value {
  const [n, heads, channels, length] = mixed.shape as [Shape[0], number, number, number];
  return linear(layer, "out_projection", reshape(layer, mixed, [n, length, heads * channels]), width);
}

/**
 * FEDformer's Fourier enhanced block (Zhou et al., ICML 2022) in place of self-attention: some frequencies of the
 * queries, each multiplied by its own matrix, become the lowest of the result. Keys and values are projected, but not
 * used. x [N, L, D] → [N, L, D].
 */
export function fourierBlock(
  b: Builder,
  name: string,
  x: Value,
  options: FourierOptions,
  weights: FourierWeights,
  frequencies: readonly number[],
): Value {
  const layer = b.scope(name);
  const inner = layer.scope("inner_correlation");
  const length = x.shape[1] as number;
  const { q } = projectHeads(layer, x, x, options);
  const chosen = present(frequencies, length);
  // [N, modes, heads, in] and [heads, in, out, modes], by head and mode.
  const spectrum = complexTranspose(inner, complexOf(inner, modes(inner, q, chosen, "modes")), [2, 1, 0, 3]);
  const factors = each(weights, (part) =>
    transpose(inner, slice(inner, part, 3, 0, chosen.length), [0, 3, 1, 2]),
  );
  const mixed = complexTranspose(inner, complexMatMul(inner, spectrum, factors), [2, 0, 3, 1]);
  return project(layer, fromLowest(inner, mixed, length), options);
}

/**
 * FEDformer's Fourier enhanced attention (Zhou et al., ICML 2022) in place of cross-attention: some frequencies of the
 * queries attend to some of the keys, which also serve as values (the projected values are not used), and each passes
 * its own matrix. queries [N, L, D], memory [N, S, D] → [N, L, D].
 */
export function fourierCrossAttention(
  b: Builder,
  name: string,
  queries: Value,
  memory: Value,
  options: FourierOptions,
  weights: FourierWeights,
  frequencies: { readonly queries: readonly number[]; readonly keys: readonly number[] },
): Value {
  const layer = b.scope(name);
  const inner = layer.scope("inner_correlation");
  const length = queries.shape[1] as number;
  const { q, k } = projectHeads(layer, queries, memory, options);
  const spectrumAt = (x: Value, all: readonly number[], called: string) => {
    const chosen = present(all, x.shape[1] as number);
    // Frequencies that the signal is too short for are zero.
    return pad(inner, modes(inner, x, chosen, called), 1, 0, all.length - chosen.length);
  };
  const qs = complexOf(inner, spectrumAt(q, frequencies.queries, "query_modes"));
  const ks = complexOf(inner, spectrumAt(k, frequencies.keys, "key_modes"));
  const scores = complexMatMul(
    inner,
    complexTranspose(inner, qs, [0, 2, 1, 3]),
    complexTranspose(inner, ks, [0, 2, 3, 1]),
  );
  const attended = complexMatMul(
    inner,
    each(scores, (part) => tanh(inner, part)),
    complexTranspose(inner, ks, [0, 2, 1, 3]),
  );
  const factors = complexTranspose(inner, weights, [0, 3, 1, 2]);
  const product = complexMatMul(inner, complexTranspose(inner, attended, [1, 2, 0, 3]), factors);
  const mixed = each(complexTranspose(inner, product, [2, 0, 3, 1]), (part) =>
    scale(inner, part, 1, options.width ** 2),
  );
  return project(layer, fromFrequencies(inner, mixed, frequencies.queries, length), options);
}

/** Number of frequencies of a signal. */
function present(frequencies: readonly number[], length: number): readonly number[] {
  return frequencies.filter((frequency) => frequency < onesidedFrequencies(length));
}

/** Some frequencies of x [N, L, heads, channels]: [N, modes, heads, channels, 2]. */
function modes(b: Builder, x: Value, frequencies: readonly number[], name: string): Value {
  return gather(b, realDft(b, x, 1), b.indices(name, [frequencies.length], frequencies), 1);
}

/** The signal with the given lowest frequencies […, modes]: […, length]. */
function fromLowest(b: Builder, numbers: Complex, length: number): Value {
  const given = numbers.real.shape.at(-1) as number;
  const all = each(numbers, (part) => pad(b, part, -1, 0, onesidedFrequencies(length) - given));
  return inverseRealDft(b, spectrumOf(b, all), -2, length);
}

/** The signal with the numbers […, modes] at some frequencies, and zero at all others: […, length]. */
function fromFrequencies(
  b: Builder,
  numbers: Complex,
  frequencies: readonly number[],
  length: number,
): Value {
  const zero = frequencies.length;
  const places = Array.from({ length: onesidedFrequencies(length) }, (_, frequency) => {
    const at = frequencies.indexOf(frequency);
    return at < 0 ? zero : at;
  });
  const indices = b.indices("places", [places.length], places);
  const all = each(numbers, (part) => gather(b, pad(b, part, -1, 0, 1), indices, -1));
  return inverseRealDft(b, spectrumOf(b, all), -2, length);
}
