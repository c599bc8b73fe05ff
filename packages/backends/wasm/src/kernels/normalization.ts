import type { ValueId } from "@espalier/core/inference";
import { type Emitter, pointer } from "../compile/emitter.ts";
import { asMatrix, featureMajor, type Layout, layoutOf, rowMajor, type View } from "../compile/view.ts";
import { outputLike } from "./elementwise.ts";
import type { Emits } from "./kernel.ts";

export const vectorsOf = (tokens: number) => Math.ceil(tokens / 4);

/** A node's output as a matrix of tokens, whatever its readers want. */
export function outputMatrix(e: Emitter, value: ValueId) {
  const shape = e.shape(value);
  const view = e.allocate(shape, featureMajor(shape.length));
  e.set(value, view);
  return asMatrix(view)!;
}

export const normalization: Emits = {
  LayerNormalization(e, { inputs, node, attributes }) {
    const { epsilon } = attributes;
    const x = e.matrix(e.view(inputs[0]!));
    const [scale, bias] = [e.vector(e.view(inputs[1]!)), e.vector(e.view(inputs[2]!))];
    const y = outputMatrix(e, node.outputs[0]!);
    const sizes = [vectorsOf(x.tokens), x.features] as const;
    e.call(
      "layerNorm",
      ...sizes,
      pointer(x.view),
      4 * x.pitch,
      scale,
      bias,
      pointer(y.view),
      4 * y.pitch,
      epsilon,
    );
  },
  /** With known statistics: x·factor + shift, both folded once where statistics do not change. */
  BatchNormalization(e, { inputs, node, attributes }) {
    const { epsilon } = attributes;
    const x = e.view(inputs[0]!);
    const vectors = inputs.slice(1).map((id) => e.view(id));
    const channels = x.shape[1]!;
    const once = vectors.every((view) => e.isFixed(view)) ? e.during("fixed") : e;
    const [factor, shift] = [0, 1].map(() => once.allocate([channels], rowMajor(1))) as [View, View];
    const given = vectors.map((view) => once.vector(view));
    once.call("foldStatistics", channels, ...given, epsilon, pointer(factor), pointer(shift));
    const y = outputLike(e, node.outputs[0]!, [x]);
    const along = { strides: x.shape.map((_, axis) => (axis === 1 ? 1 : 0)) };
    const dims = e.walk(y, [x, along, along], y.shape, y.padded);
    e.call("affine", dims, pointer(y), pointer(x), pointer(factor), pointer(shift));
  },
  Softmax(e, { inputs, node, attributes }) {
    const x = e.view(inputs[0]!);
    const axis = positive(attributes.axis, x.shape.length);
    const y = e.output(node.outputs[0]!, softmaxLayout(x, axis));
    const rows = runsAlong(y, axis);
    const from = alike(e, x, y);
    const others = { ...y, shape: y.shape.with(axis, 1) };
    const dims = e.walk(y, [from], others.shape);
    const extent = y.shape[axis]!;
    if (rows) e.call("softmaxRows", dims, pointer(y), pointer(from), extent);
    else {
      const steps = [4 * y.strides[axis]!, 4 * from.strides[axis]!] as const;
      e.call("softmaxLanes", dims, pointer(y), pointer(from), extent, ...steps);
    }
  },
};

export const positive = (axis: number, rank: number) => (axis < 0 ? axis + rank : axis);

/** The layout of x, if its neighbours are neighbours for the softmax. */
export function softmaxLayout(x: View, axis: number): Layout {
  const layout = layoutOf(x);
  return layout.order.length === 0 || x.shape[axis] === 1 ? rowMajor(x.shape.length) : layout;
}

/** Whether neighbours in memory are neighbours along the axis. */
export function runsAlong(y: View, axis: number): boolean {
  if (y.strides[axis] !== 1) return false;
  // Both may have stride 1 where one of them has extent 1.
  return !y.strides.some((stride, i) => i !== axis && stride === 1 && y.shape[i]! > 1);
}

/** x as y lies, copied where it does not. */
export function alike(e: Emitter, x: View, y: View): View {
  const same = x.strides.every((stride, axis) => stride === y.strides[axis] || x.shape[axis] === 1);
  return same ? x : e.copy(x, layoutOf(y));
}
