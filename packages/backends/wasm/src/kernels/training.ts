import {
  type AdamAttributes,
  adamInputs,
  countElements,
  type RandomAttributes,
  type ValueId,
} from "@espalier/core/graph";
import { type Emitter, pointer } from "../compile/emitter.ts";
import { isContiguous, place, rowMajor, type View } from "../compile/view.ts";
import type { Emits, NodeCall } from "./kernel.ts";

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

export function adamSettings(e: Emitter, { beta1, beta2, epsilon, weightDecay }: AdamAttributes) {
  return e.floats64([beta1, beta2, epsilon, weightDecay]);
}

/** One call over neighbours; `inPlace`: results replace what they were computed from. */
export function emitAdam(
  e: Emitter,
  { inputs, node, attributes }: NodeCall<AdamAttributes>,
  inPlace: boolean,
): void {
  // Tensors always are; a gradient may lie otherwise.
  const straight = (id: ValueId) => {
    const view = e.view(id);
    return pointer(isContiguous(view) ? view : e.copy(view, rowMajor(view.shape.length)));
  };
  const { parameter, gradient, m, v, step, rate, mask = 0 } = adamInputs(inputs.map(straight));
  const out = inPlace
    ? [parameter, m, v]
    : node.outputs.map((id) => {
        const view = e.allocate(e.shape(id), rowMajor(e.shape(id).length));
        e.set(id, view);
        return pointer(view);
      });
  const settings = adamSettings(e, attributes);
  const n = countElements(e.shape(inputs[0]!));
  e.call("adam", n, parameter, gradient, m, v, mask, ...out, step, rate, settings);
}

export const training: Emits = {
  RandomUniform: (e, call) => emitRandom(e, call),
  Adam: (e, call) => emitAdam(e, call, false),
};
