import type { DropoutFactors, DropoutProduct } from "@espalier/core/compile";
import { attributesOf, type RandomAttributes, randomUniformOperator } from "@espalier/core/graph";
import { type Emitter, pointer } from "../compile/emitter.ts";
import { place, rowMajor, type View } from "../compile/view.ts";
import { emitBinary, outputLike } from "./elementwise.ts";
import type { NodeCall } from "./kernel.ts";

/** Random numbers, or with a ratio the factors 0 and 1/(1 − ratio) of a dropout. */
export function emitRandom(
  e: Emitter,
  { inputs, node, attributes }: NodeCall<RandomAttributes>,
  ratio?: number,
): void {
  const { stream } = attributes;
  const [seed, step] = inputs.map((id) => e.view(id)) as [View, View];
  const y = e.output(node.outputs[0]!);
  // An element's number is its place in row-major order, however it is stored.
  const { strides } = place(y.shape, rowMajor(y.shape.length));
  const dims = e.walk(y, [{ strides }], y.shape);
  countInElements(e, dims.bytes / 4);
  const [threshold, kept] = ratio === undefined ? [-1, 0] : [Math.ceil(ratio * 2 ** 24), 1 / (1 - ratio)];
  e.call("random", dims, pointer(y), pointer(seed), pointer(step), stream, threshold, kept, 0);
}

/** The walk gives bytes; elements are numbered. */
function countInElements(e: Emitter, at: number): void {
  const rank = e.constants[at]!;
  for (let axis = 0; axis < rank; axis++) e.constants[at + 1 + 5 * axis + 2]! /= 4;
}

/** A dropout's factors, or its product with them. */
export function emitDropout(e: Emitter, operation: DropoutFactors | DropoutProduct): void {
  const { kind, node, inputs } = operation;
  if (kind === "dropoutFactors") {
    const attributes = attributesOf(node, randomUniformOperator);
    emitRandom(e, { node, inputs, attributes }, operation.ratio);
    return;
  }
  const [x, factors] = inputs.map((id) => e.view(id)) as [View, View];
  emitBinary(e, "Mul", outputLike(e, node.outputs[0]!, [x]), x, factors);
}
