import type { Coupling, Operand } from "../dimensions/coupling.ts";
import { ShapeError } from "../errors.ts";
import type { Builder, Value } from "../graph/builder.ts";
import { countElements, isBatch, printShape, type Shape, sameShape } from "../graph/extent.ts";
import type { ValueType } from "../graph/graph.ts";
import { ndarray } from "../reference/array.ts";
import { expand } from "./broadcast.ts";
import { defineOperator, type Operator, zeroForZero } from "./operator.ts";

/** How indices select elements. */
export type GatherNDAttributes = {
  /** Leading axes that data and indices share. */
  readonly batchDims: number;
};

const meaning = "indices pick positions along it";

/** Number of axes that one index tuple points into. */
function tupleSize(indices: Shape): number {
  return indices.at(-1) as number;
}

/** The shape of the selected elements: the axes of the indices, then those of the data that no tuple points into. */
function pickedShape(data: ValueType, indices: ValueType, batchDims: number): Shape {
  if (indices.dtype !== "int32") throw new ShapeError("the indices must be int32");
  const rank = indices.shape.length;
  const size = rank === 0 ? Number.NaN : tupleSize(indices.shape);
  const sound = Number.isInteger(size) && size >= 1 && Number.isInteger(batchDims) && batchDims >= 0;
  if (!sound || batchDims + size > data.shape.length || batchDims > rank - 1) {
    throw new ShapeError(`index tuples of ${printShape(indices.shape)} do not point into it`);
  }
  if (!sameShape(data.shape.slice(0, batchDims), indices.shape.slice(0, batchDims))) {
    throw new ShapeError(`the first ${batchDims} axes differ`);
  }
  if (data.shape.slice(batchDims, batchDims + size).some(isBatch)) {
    throw new ShapeError("indices cannot point into the batch axis");
  }
  return [...indices.shape.slice(0, -1), ...data.shape.slice(batchDims + size)];
}

/** Couples the data, the indices, and the slices that are read or written. */
function couplePicked(
  coupling: Coupling,
  data: Operand,
  indices: Operand,
  picked: Operand,
  batchDims: number,
) {
  const size = tupleSize(indices.shape);
  for (let i = 0; i < batchDims; i++) coupling.same(data.axes[i]!, indices.axes[i]!);
  for (let i = 0; i < size; i++) coupling.fixed(data.axes[batchDims + i]!, meaning);
  indices.axes.slice(0, -1).forEach((axis, i) => {
    coupling.same(axis, picked.axes[i]!);
  });
  coupling.fixed(indices.axes.at(-1)!, meaning);
  data.axes.slice(batchDims + size).forEach((axis, i) => {
    coupling.same(axis, picked.axes[indices.axes.length - 1 + i]!);
  });
}

/**
 * Calls `visit` for each index tuple, in order, with the offset in the data and the offset of the run of `length`
 * elements that belongs to the tuple. Backends compute both operators with it.
 */
export function eachPicked(
  data: readonly number[],
  indices: { readonly shape: readonly number[]; readonly data: ArrayLike<number> },
  { batchDims }: GatherNDAttributes,
  visit: (from: number, to: number, length: number) => void,
): void {
  const size = indices.shape.at(-1)!;
  const pointed = data.slice(batchDims, batchDims + size);
  const length = countElements(data.slice(batchDims + size));
  const batches = countElements(data.slice(0, batchDims));
  const tuples = countElements(indices.shape.slice(batchDims, -1));
  const block = countElements(pointed);
  for (let batch = 0; batch < batches; batch++) {
    for (let t = 0; t < tuples; t++) {
      const tuple = batch * tuples + t;
      let at = 0;
      for (let i = 0; i < size; i++) at = at * pointed[i]! + indices.data[tuple * size + i]!;
      visit((batch * block + at) * length, tuple * length, length);
    }
  }
}

/**
 * Slices of the data at index tuples: (data, indices […, tuple]) → […, rest]. Along the first `batchDims` axes each
 * position has its own indices. ONNX `GatherND` with `batch_dims`.
 */
export const gatherNDOperator: Operator<GatherNDAttributes> = defineOperator<GatherNDAttributes>({
  name: "GatherND",
  arity: 2,
  rearranges: "some",
  simplify: zeroForZero,
  infer: ([data, indices], { batchDims }) => [
    { dtype: data!.dtype, shape: pickedShape(data!, indices!, batchDims) },
  ],
  couple: (coupling, [data, indices], [y], { batchDims }) =>
    couplePicked(coupling, data!, indices!, y!, batchDims),
  gradient(b, { inputs: [data, indices], gradients: [dy], attributes: { batchDims } }) {
    if (dy === undefined) return [undefined, undefined];
    const none = expand(b, b.constant(0), data!.shape);
    return [scatterND(b, none, indices!, dy, { batchDims, reduction: "add" }), undefined];
  },
  evaluate([data, indices], attributes, [shape]) {
    const out = ndarray(shape!);
    eachPicked(data!.shape, indices!, attributes, (from, to, length) => {
      out.data.set(data!.data.subarray(from, from + length), to);
    });
    return [out];
  },
});

/** How indices select elements, and what happens to those. */
export type ScatterNDAttributes = GatherNDAttributes & {
  /** `none`: updates replace the elements; no two may point to the same place. `add`: updates are added to them. */
  readonly reduction: "none" | "add";
};

/**
 * The data with slices at index tuples replaced by updates, or with updates added: (data, indices […, tuple], updates
 * […, rest]). ONNX `ScatterND`, with GatherND's `batchDims`.
 */
export const scatterNDOperator: Operator<ScatterNDAttributes> = defineOperator<ScatterNDAttributes>({
  name: "ScatterND",
  arity: 3,
  infer([data, indices, updates], { batchDims }) {
    const expected = pickedShape(data!, indices!, batchDims);
    if (!sameShape(updates!.shape, expected)) {
      throw new ShapeError(`the updates must have shape ${printShape(expected)}`);
    }
    return [data!];
  },
  couple(coupling, [data, indices, updates], [y], { batchDims }) {
    coupling.sameAll(data!, y!);
    couplePicked(coupling, data!, indices!, updates!, batchDims);
    // Without an update, the element would keep its old value.
    for (const axis of indices!.axes.slice(batchDims, -1)) coupling.fixed(axis, meaning);
  },
  simplify: ([data, , updates]) => (data && updates ? "zero" : undefined),
  gradient(b, { inputs: [, indices, updates], gradients: [dy], attributes, wants }) {
    if (dy === undefined) return [undefined, undefined, undefined];
    const { batchDims, reduction } = attributes;
    const kept = () => {
      if (reduction === "add") return dy;
      return b.apply(scatterNDOperator, [dy, indices!, expand(b, b.constant(0), updates!.shape)], attributes);
    };
    return [
      wants(0) ? kept() : undefined,
      undefined,
      wants(2) ? gatherND(b, dy, indices!, batchDims) : undefined,
    ];
  },
  evaluate([data, indices, updates], attributes) {
    const out = ndarray(data!.shape, data!.data);
    const add = attributes.reduction === "add";
    eachPicked(data!.shape, indices!, attributes, (at, from, length) => {
      for (let i = 0; i < length; i++) {
        out.data[at + i] = (add ? out.data[at + i]! : 0) + updates!.data[from + i]!;
      }
    });
    return [out];
  },
});

/** Slices of the data at index tuples: data and indices […, tuple] share the first `batchDims` axes. */
export function gatherND(b: Builder, data: Value, indices: Value, batchDims = 0): Value {
  return b.apply(gatherNDOperator, [data, indices], { batchDims });
}

/** The data with slices at index tuples replaced by updates, or with updates added to them. */
export function scatterND(
  b: Builder,
  data: Value,
  indices: Value,
  updates: Value,
  { batchDims = 0, reduction = "none" }: Partial<ScatterNDAttributes> = {},
): Value {
  return b.apply(scatterNDOperator, [data, indices, updates], { batchDims, reduction });
}
