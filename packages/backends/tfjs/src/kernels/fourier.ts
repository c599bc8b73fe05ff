import { type DftAttributes, dftMatrix } from "@espalier/core/graph";
import { type Kernels, sizeOf } from "./kernel.ts";

const matrices = new Map<string, Float32Array>();

/** The matrix of a transform in single precision; a model has few, and each is used in every run. */
function matrixOf(attributes: DftAttributes, parts: number): Float32Array {
  const { inverse, onesided, length } = attributes;
  const key = `${inverse} ${onesided} ${length} ${parts}`;
  const known = matrices.get(key) ?? Float32Array.from(dftMatrix(attributes, parts));
  matrices.set(key, known);
  return known;
}

export const fourier: Kernels = {
  /** A product with a constant matrix: the wasm backend has no Fourier transform. */
  DFT: ({ tf, inputs: [x], attributes, outputs: [shape] }) => {
    const { axis } = attributes;
    const [from, to] = [x!.shape.at(-1)!, shape!.at(-1)!];
    const [before, after] = [x!.shape[axis]!, shape![axis]!];
    const outer = sizeOf(shape!.slice(0, axis));
    const inner = sizeOf(shape!.slice(axis + 1, -1));
    const matrix = tf.tensor2d(matrixOf(attributes, from), [before * from, after * to]);
    const along = tf.transpose(tf.reshape(x!, [outer, before, inner, from]), [0, 2, 1, 3]);
    const product = tf.matMul(tf.reshape(along, [outer * inner, before * from]) as never, matrix);
    return tf.reshape(tf.transpose(tf.reshape(product, [outer, inner, after, to]), [0, 2, 1, 3]), [
      ...shape!,
    ]);
  },
};
