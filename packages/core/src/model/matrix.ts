import { countElements } from "../graph/extent.ts";
import type { Model } from "./model.ts";
import { type TensorProduct, tensorProducts } from "./products.ts";

/**
 * A tensor as the matrix that its product sees: a row is what makes one output, its columns are the inputs that are
 * contracted; what is neither (heads, modes) tells several matrices apart. An element lies at the sum of three offsets.
 */
export interface MatrixView {
  readonly matrices: Int32Array;
  readonly rows: Int32Array;
  readonly columns: Int32Array;
  /** Axis of the tensor along which a row's neighbours lie. */
  readonly axis: number;
  /** Extent of that axis: so many columns are neighbours, then those of the next tap of a convolution begin. */
  readonly neighbours: number;
}

/**
 * How each tensor is multiplied: [out, in] of a linear layer, [out, in, taps] of a convolution, [heads, in, out, modes] of
 * Fourier weights. A tensor that no product contracts (a table) has its last axis for columns, those of extent 1 left out.
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

/** The matrix that a tensor of this shape is in a product. */
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
    axis,
    neighbours: inputs.length === 0 ? 1 : shape[axis]!,
  };
}

/** Where the elements along some axes lie, the last of them running fastest. */
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
