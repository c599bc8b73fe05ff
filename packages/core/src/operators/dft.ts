import { ShapeError } from "../errors.ts";
import type { Builder, Value } from "../graph/builder.ts";
import { isBatch, normalizeAxis } from "../graph/extent.ts";
import type { ValueType } from "../graph/graph.ts";
import { around, ndarray } from "../reference/array.ts";
import { mul } from "./elementwise.ts";
import { reshape } from "./layout.ts";
import { checkAxis, defineOperator, type Operator, zeroForZero } from "./operator.ts";
import { scale } from "./scale.ts";
import { slice } from "./slice.ts";

/** Axis and variant of a transform. */
export type DftAttributes = {
  /** Any axis except the batch and the last. */
  readonly axis: number;
  readonly inverse: boolean;
  /** The spectrum of a real signal: only frequencies 0 to ⌊length ÷ 2⌋; the others are their conjugates. */
  readonly onesided: boolean;
  /** Number of positions of the signal. */
  readonly length: number;
};

/** Frequencies of a one-sided spectrum. */
export function onesidedFrequencies(length: number): number {
  return Math.floor(length / 2) + 1;
}

/** Real numbers at each position before and after: 1 for a real signal, 2 (real and imaginary part) for complex numbers. */
interface Parts {
  readonly from: number;
  readonly to: number;
}

function partsOf(x: ValueType, { inverse, onesided }: DftAttributes): Parts {
  const from = x.shape.at(-1);
  if (from !== 1 && from !== 2) throw new ShapeError("its last axis must be 1 (real) or 2 (complex) long");
  const needed = onesided ? (inverse ? 2 : 1) : from;
  if (from !== needed) {
    throw new ShapeError(
      inverse ? "a one-sided spectrum is complex" : "a one-sided spectrum needs real numbers",
    );
  }
  return { from, to: onesided && inverse ? 1 : 2 };
}

const meaning = "the Fourier transform runs along it";

/**
 * Discrete Fourier transform along one axis; the last axis holds real and imaginary part. ONNX `DFT` with constant axis
 * and `dft_length`: forward Σ xₜ·e^(−2πi·ft ÷ n), inverse with e^(+…) and 1 ÷ n. If it is one-sided and inverse, the
 * result is real, as in ONNX's latest edition and `torch.fft.irfft`. A backend may compute it as a product with {@link
 * dftMatrix}.
 */
export const dftOperator: Operator<DftAttributes> = defineOperator<DftAttributes>({
  name: "DFT",
  arity: 1,
  simplify: zeroForZero,
  infer([x], attributes) {
    const { axis, inverse, onesided, length } = attributes;
    const rank = x!.shape.length;
    const { to } = partsOf(x!, attributes);
    checkAxis(axis, rank);
    const extent = x!.shape[axis]!;
    if (isBatch(extent) || axis === rank - 1)
      throw new ShapeError("its axis can be neither the batch nor the last axis");
    const frequencies = onesided ? onesidedFrequencies(length) : length;
    const [before, after] = inverse ? [frequencies, length] : [length, frequencies];
    if (!Number.isInteger(length) || length < 1 || extent !== before) {
      throw new ShapeError(`axis ${axis} must have ${before} positions for a signal of ${length}`);
    }
    return [{ dtype: x!.dtype, shape: x!.shape.with(axis, after).with(-1, to) }];
  },
  couple(coupling, [x], [y], { axis }) {
    const last = x!.axes.length - 1;
    x!.axes.forEach((expression, i) => {
      if (i !== axis && i !== last) coupling.same(expression, y!.axes[i]!);
    });
    for (const { axes } of [x!, y!]) {
      coupling.fixed(axes[axis]!, meaning);
      coupling.fixed(axes[last]!, "it holds real and imaginary part");
    }
  },
  /** The transform is linear: its gradient is the transposed one, which is the opposite transform up to factors. */
  gradient(b, { inputs: [x], gradients: [dy], attributes }) {
    if (dy === undefined) return [undefined];
    const { axis, inverse, onesided, length } = attributes;
    const back = (value: Value) => b.apply(dftOperator, [value], { ...attributes, inverse: !inverse });
    const factor = (value: Value) => scale(b, value, inverse ? 1 : length, inverse ? length : 1);
    if (!onesided) {
      const dx = factor(back(dy));
      return [x!.shape.at(-1) === 1 ? slice(b, dx, -1, 0, 1) : dx];
    }
    // A frequency of a one-sided spectrum stands for two, except for 0 and, at even lengths, the highest.
    const weights = Float32Array.from({ length: onesidedFrequencies(length) }, (_, frequency) =>
      inverse ? multiplicity(frequency, length) : 1 / multiplicity(frequency, length),
    );
    const shape = x!.shape.map((_, i) => (i === axis ? weights.length : 1));
    const name = `dft_${inverse ? "multiplicity" : "share"}_${length}_${axis}_${shape.length}`;
    const weigh = (value: Value) =>
      mul(b, value, b.constant({ dtype: "float32", shape, data: weights }, name));
    return [factor(inverse ? weigh(back(dy)) : back(weigh(dy)))];
  },
  evaluate([x], attributes, [shape]) {
    const out = ndarray(shape!);
    const parts = { from: x!.shape.at(-1)!, to: shape!.at(-1)! };
    const matrix = dftMatrix(attributes, parts.from);
    const { outer, extent, inner: rest } = around(x!.shape, attributes.axis);
    const inner = rest / parts.from;
    const after = shape![attributes.axis]!;
    const columns = after * parts.to;
    for (let o = 0; o < outer; o++) {
      for (let position = 0; position < extent; position++) {
        for (let i = 0; i < inner * parts.from; i++) {
          const value = x!.data[(o * extent + position) * inner * parts.from + i]!;
          const row = position * parts.from + (i % parts.from);
          const lane = Math.floor(i / parts.from);
          for (let c = 0; c < columns; c++) {
            const to = (o * after + Math.floor(c / parts.to)) * inner + lane;
            out.data[to * parts.to + (c % parts.to)]! += value * matrix[row * columns + c]!;
          }
        }
      }
    }
    return [out];
  },
});

/** Number of frequencies of the whole spectrum that one frequency of a one-sided spectrum stands for. */
function multiplicity(frequency: number, length: number): number {
  return frequency === 0 || 2 * frequency === length ? 1 : 2;
}

/**
 * The transform as a matrix, row-major, in double precision: row `position · parts + part` of the input, column likewise
 * of the output. `parts` is the extent of the input's last axis.
 */
export function dftMatrix({ inverse, onesided, length }: DftAttributes, parts: number): Float64Array {
  const frequencies = onesided ? onesidedFrequencies(length) : length;
  const [before, after] = inverse ? [frequencies, length] : [length, frequencies];
  const to = onesided && inverse ? 1 : 2;
  const matrix = new Float64Array(before * parts * after * to);
  for (let from = 0; from < before; from++) {
    for (let at = 0; at < after; at++) {
      const angle = (2 * Math.PI * ((from * at) % length)) / length;
      const weight = inverse ? (onesided ? multiplicity(from, length) : 1) / length : 1;
      const [re, im] = [weight * Math.cos(angle), weight * Math.sin(angle) * (inverse ? 1 : -1)];
      // (a + bi)·(re + im·i): a gives (re, im), b gives (−im, re).
      const entries = [
        [re, im],
        [-im, re],
      ];
      for (let part = 0; part < parts; part++) {
        for (let k = 0; k < to; k++) {
          matrix[(from * parts + part) * after * to + at * to + k] = entries[part]![k]!;
        }
      }
    }
  }
  return matrix;
}

/** Transforms x […, n, …] of real numbers along `axis`: a one-sided spectrum […, ⌊n ÷ 2⌋ + 1, …, 2]. */
export function realDft(b: Builder, x: Value, axis: number): Value {
  const at = normalizeAxis(axis, x.shape.length);
  const length = x.shape[at] as number;
  const signal = reshape(b, x, [...x.shape, 1]);
  return b.apply(dftOperator, [signal], { axis: at, inverse: false, onesided: true, length });
}

/** The signal of `length` positions with the one-sided spectrum […, ⌊length ÷ 2⌋ + 1, …, 2]; the last axis is dropped. */
export function inverseRealDft(b: Builder, spectrum: Value, axis: number, length: number): Value {
  const at = normalizeAxis(axis, spectrum.shape.length);
  const signal = b.apply(dftOperator, [spectrum], { axis: at, inverse: true, onesided: true, length });
  return reshape(b, signal, signal.shape.slice(0, -1));
}
