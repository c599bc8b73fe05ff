import { countElements, type DftAttributes, dftMatrix } from "@espalier/core/graph";
import type { Emitter } from "../compile/emitter.ts";
import { axes, expandView, type Layout, reshapeView, transposeView, type View } from "../compile/view.ts";
import type { Emits } from "./kernel.ts";
import { emitMatrixProduct } from "./products.ts";

/** Positions beside a transform that are worth being lanes. */
const enoughLanes = 8;

export const transforms: Emits = {
  /**
   * A product with a constant matrix: at the lengths of a model's windows nothing is faster. What lies behind the axis
   * becomes lanes; where that is little, results are neighbours, and everything else rows.
   */
  DFT(e, { inputs, node, attributes }) {
    const x = e.view(inputs[0]!);
    const shape = e.shape(node.outputs[0]!);
    const rank = shape.length;
    const { axis } = attributes;
    const own = [axis, rank - 1];
    const sizeOf = (list: readonly number[], of: readonly number[]) => countElements(list.map((i) => of[i]!));
    const before = axes(axis);
    const behind = axes(rank - 1).slice(axis + 1);
    const matrix = constantMatrix(e, attributes, x.shape.at(-1)!, sizeOf(own, x.shape));
    const lanes = sizeOf(behind, shape);
    const byLanes = lanes >= enoughLanes;
    const order = byLanes ? [...before, ...own, ...behind] : [...before, ...behind, ...own];
    const layout: Layout = { order, run: rank };
    const y = e.allocate(shape, layout);
    e.set(node.outputs[0]!, y);
    const outer = sizeOf(byLanes ? before : [...before, ...behind], shape);
    const merged = (view: View) => {
      const positions = sizeOf(own, view.shape);
      return reshapeView(
        transposeView(view, order),
        byLanes ? [outer, positions, lanes] : [outer, positions],
      );
    };
    const from = merged(x) ?? merged(e.copy(x, layout))!;
    const to = merged(y)!;
    if (byLanes)
      emitMatrixProduct(
        e,
        expandView(transposeView(matrix, [1, 0]), [outer, ...matrix.shape.toReversed()]),
        from,
        to,
      );
    else emitMatrixProduct(e, from, matrix, to);
  },
};

/** The transform as [input position × part, output position × part]. */
function constantMatrix(e: Emitter, attributes: DftAttributes, parts: number, rows: number): View {
  const matrix = dftMatrix(attributes, parts);
  const { storage, bytes } = e.floats(matrix);
  const columns = matrix.length / rows;
  return { storage, offset: bytes / 4, shape: [rows, columns], strides: [columns, 1], padded: false };
}
