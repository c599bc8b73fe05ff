import {
  type Attributes,
  countElements,
  type DataType,
  type Node,
  type ValueId,
} from "@espalier/core/inference";
import { type Emitter, pointer } from "../compile/emitter.ts";
import { isContiguous, rowMajor, type View } from "../compile/view.ts";
import type { Heap } from "../memory/heap.ts";
import type { Emit } from "./kernel.ts";

interface Operand {
  readonly shape: readonly number[];
  readonly dtype: DataType;
}

/**
 * Operators that are too rare for a kernel of their own (comparisons, powers, tuples of several indices): JavaScript
 * computes them on the memory by the operator's definition in core, in double precision. Right, and some ten times slower
 * than a kernel; a program's description calls them `JavaScript`.
 */
export const byDefinition: Emit = (e, { node, inputs }) => {
  const views = inputs.map((id) => straight(e, e.view(id)));
  const outputs = node.outputs.map((id) => {
    const shape = e.shape(id);
    const view = e.allocate(shape, rowMajor(shape.length));
    e.set(id, view);
    return view;
  });
  const describe = (list: readonly View[], ids: readonly ValueId[]): Operand[] =>
    list.map(({ shape }, i) => ({ shape, dtype: e.graph.values[ids[i]!]!.dtype }));
  const run = evaluator(node, e.batchSize, describe(views, inputs), describe(outputs, node.outputs));
  e.host([...views, ...outputs].map(pointer), run);
};

/** Kernels compute with float32; positions (int32) are few, and computed by definition. */
export const ofFloats =
  <A extends Attributes>(emit: Emit<A>): Emit<A> =>
  (e, call) => {
    const floats = call.inputs.every((value) => e.graph.values[value]!.dtype === "float32");
    (floats ? emit : byDefinition)(e, call);
  };

function straight(e: Emitter, view: View): View {
  return isContiguous(view) ? view : e.copy(view, rowMajor(view.shape.length));
}

function evaluator(
  { operator, attributes }: Node,
  batchSize: number,
  inputs: readonly Operand[],
  outputs: readonly Operand[],
): (heap: Heap, addresses: readonly number[]) => void {
  const shapes = outputs.map(({ shape }) => shape);
  const numbers = (heap: Heap, { shape, dtype }: Operand, address: number) =>
    dtype === "int32"
      ? heap.integers(address, countElements(shape))
      : heap.floats(address, countElements(shape));
  return (heap, addresses) => {
    const operands = inputs.map((operand, i) => ({
      shape: operand.shape,
      data: Float64Array.from(numbers(heap, operand, addresses[i]!)),
    }));
    operator.evaluate(operands, attributes, shapes, batchSize).forEach(({ data }, i) => {
      numbers(heap, outputs[i]!, addresses[inputs.length + i]!).set(data);
    });
  };
}
