import {
  add,
  type Builder,
  concat,
  matMul,
  reshape,
  slice,
  sub,
  transpose,
  type Value,
} from "@espalier/core/graph";

/** Complex numbers as two values of one shape. */
export interface Complex {
  readonly real: Value;
  readonly imaginary: Value;
}

/** The numbers of a spectrum […, 2], each part […]. */
export function complexOf(b: Builder, spectrum: Value): Complex {
  const part = (at: number) => reshape(b, slice(b, spectrum, -1, at, at + 1), spectrum.shape.slice(0, -1));
  return { real: part(0), imaginary: part(1) };
}

/** The spectrum […, 2] of complex numbers. */
export function spectrumOf(b: Builder, numbers: Complex): Value {
  const { real, imaginary } = each(numbers, (part) => reshape(b, part, [...part.shape, 1]));
  return concat(b, [real, imaginary], -1);
}

/** Applies a function to both parts. */
export function each({ real, imaginary }: Complex, f: (part: Value) => Value): Complex {
  return { real: f(real), imaginary: f(imaginary) };
}

/** Both parts with axes in another order. */
export function complexTranspose(b: Builder, numbers: Complex, perm: readonly number[]): Complex {
  return each(numbers, (part) => transpose(b, part, perm));
}

/** Matrix product of complex numbers, as four of real ones. */
export function complexMatMul(b: Builder, x: Complex, y: Complex): Complex {
  return {
    real: sub(b, matMul(b, x.real, y.real), matMul(b, x.imaginary, y.imaginary)),
    imaginary: add(b, matMul(b, x.real, y.imaginary), matMul(b, x.imaginary, y.real)),
  };
}
