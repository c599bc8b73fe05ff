import { countElements } from "../graph/extent.ts";
import type { Model } from "./model.ts";
import { type TensorProduct, tensorProducts } from "./products.ts";

/**
 * A tensor as the matrix that its product sees: a row makes one output, the columns are the contracted inputs; other
 * axes (heads, modes) index several matrices. The position of an element is the sum of three offsets.
 */
export interface MatrixView {
  readonly matrices: Int32Array;
  readonly rows: Int32Array;
  readonly columns: Int32Array;
  /** Extent of that axis: this many columns are neighbours, then those of the next tap of a convolution begin. */
  readonly neighbours: number;
}

/**
 * How each tensor is multiplied: [out, in] of a linear layer, [out, in, taps] of a convolution, [heads, in, out, modes]
 * of Fourier weights. A tensor that no product contracts (a table) has its last axis as columns, ignoring axes of
 * extent 1.
 */
export function matrixViews(model: Model, tensors: readonly string[]): ReadonlyMap<string, MatrixView> {
  const products = new Map(
    tensorProducts(model.graph)
      .reverse()
      .map((product) => [product.tensor, product]),
  );
  return new Map(
    tensors.map((name) => {
      const { shape } = model.tensors.get(name)!;
      return [name, matrixView(shape, products.get(name) ?? lastAxes(shape))];
    }),
  );
}

function lastAxes(shape: readonly number[]) {
  const wide = shape.flatMap((extent, axis) => (extent > 1 ? [axis] : []));
  return { inputs: wide.slice(-1), outputs: wide.slice(-2, -1) };
}

/** The matrix view of a tensor of this shape in a product. */
export function matrixView(
  shape: readonly number[],
  { outputs, inputs }: Pick<TensorProduct, "outputs" | "inputs">,
): MatrixView {
  const others = shape.flatMap((_, axis) => (inputs.includes(axis) || outputs.includes(axis) ? [] : [axis]));
  const axis = inputs.at(-1) ?? shape.length - 1;
  return {
    matrices: offsets(shape, others),
    rows: offsets(shape, outputs),
    columns: offsets(shape, inputs),
    neighbours: inputs.length === 0 ? 1 : shape[axis]!,
  };
}

/** Offsets of the elements along some axes, the last of them varying fastest. */
function offsets(shape: readonly number[], axes: readonly number[]): Int32Array {
  let all = Int32Array.of(0);
  for (const axis of axes) {
    const step = countElements(shape.slice(axis + 1));
    const extent = shape[axis]!;
    const before = all;
    all = Int32Array.from(
      { length: before.length * extent },
      (_, i) => before[Math.floor(i / extent)]! + (i % extent) * step,
    );
  }
  return all;
}
