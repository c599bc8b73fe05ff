import type { ValueId } from "@espalier/core/graph";
import { type Emitter, pointer } from "../compile/emitter.ts";
import {
  asMatrix,
  axes,
  featureMajor,
  type Layout,
  layoutOf,
  rowMajor,
  transposeView,
  type View,
} from "../compile/view.ts";
import { channelMajor } from "../compile/wanted.ts";
import { outputLike } from "./elementwise.ts";
import type { Emits } from "./kernel.ts";

const vectorsOf = (tokens: number) => Math.ceil(tokens / 4);

/** A node's output as a matrix of tokens, whatever its readers want. */
function outputMatrix(e: Emitter, value: ValueId) {
  const shape = e.shape(value);
  const view = e.allocate(shape, featureMajor(shape.length));
  e.set(value, view);
  return asMatrix(view)!;
}

/** x [N, C, …] with a channel's numbers in one row. */
function channelRows(e: Emitter, view: View) {
  const rank = view.shape.length;
  const perm = [0, ...axes(rank).slice(2), 1];
  const asTokens = asMatrix(transposeView(view, perm));
  if (asTokens !== undefined) return { view, tokens: asTokens.tokens, pitch: asTokens.pitch };
  const copied = e.copy(view, channelMajor(rank));
  const { tokens, pitch } = asMatrix(transposeView(copied, perm))!;
  return { view: copied, tokens, pitch };
}

function channelOutput(e: Emitter, value: ValueId) {
  const shape = e.shape(value);
  const view = e.allocate(shape, channelMajor(shape.length));
  e.set(value, view);
  return channelRows(e, view);
}

function vectorOutput(e: Emitter, value: ValueId): View {
  return e.output(value, rowMajor(1));
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
  LayerNormalizationGradient(e, { inputs, node, attributes }) {
    const { epsilon } = attributes;
    const [x, dy] = [e.matrix(e.view(inputs[0]!)), e.matrix(e.view(inputs[2]!))];
    const scale = e.vector(e.view(inputs[1]!));
    const dx = outputMatrix(e, node.outputs[0]!);
    const [dscale, dbias] = [vectorOutput(e, node.outputs[1]!), vectorOutput(e, node.outputs[2]!)];
    const [from, given] = [pointer(x.view), pointer(dy.view)] as const;
    const { storage } = e.allocate([vectorsOf(x.tokens), 8], rowMajor(2));
    const statistics = { storage, bytes: 0 };
    const sizes = [x.tokens, x.features, from, 4 * x.pitch] as const;
    const out = [pointer(dx.view), 4 * dx.pitch] as const;
    e.call("layerNormGradient", ...sizes, scale, given, 4 * dy.pitch, ...out, epsilon, statistics);
    const sums = [pointer(dscale), pointer(dbias)] as const;
    e.call("layerNormSums", ...sizes, given, 4 * dy.pitch, statistics, ...sums);
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
  BatchNormalizationTraining(e, { inputs, node, attributes }) {
    const { epsilon, momentum } = attributes;
    const x = channelRows(e, e.view(inputs[0]!));
    const vectors = inputs.slice(1).map((id) => e.vector(e.view(id)));
    const y = channelOutput(e, node.outputs[0]!);
    const statistics = node.outputs.slice(1).map((id) => pointer(vectorOutput(e, id)));
    const sizes = [x.view.shape[1]!, x.tokens, pointer(x.view), 4 * x.pitch] as const;
    const out = [pointer(y.view), 4 * y.pitch] as const;
    e.call("batchNormTraining", ...sizes, ...vectors, ...out, ...statistics, epsilon, momentum);
  },
  BatchNormalizationGradient(e, { inputs, node, attributes }) {
    const { epsilon } = attributes;
    const [x, dy] = [channelRows(e, e.view(inputs[0]!)), channelRows(e, e.view(inputs[2]!))];
    const scale = e.vector(e.view(inputs[1]!));
    const dx = channelOutput(e, node.outputs[0]!);
    const [dscale, dbias] = [vectorOutput(e, node.outputs[1]!), vectorOutput(e, node.outputs[2]!)];
    e.call(
      "batchNormGradient",
      ...[x.view.shape[1]!, x.tokens, pointer(x.view), 4 * x.pitch, scale, pointer(dy.view), 4 * dy.pitch],
      ...[pointer(dx.view), 4 * dx.pitch, pointer(dscale), pointer(dbias), epsilon],
    );
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
  SoftmaxGradient(e, { inputs, node, attributes }) {
    const [y, dy] = inputs.map((id) => e.view(id)) as [View, View];
    const axis = positive(attributes.axis, y.shape.length);
    const dx = e.output(node.outputs[0]!, softmaxLayout(y, axis));
    const [a, b] = [alike(e, y, dx), alike(e, dy, dx)];
    const dims = e.walk(dx, [a, b], dx.shape.with(axis, 1));
    const pointers = [pointer(dx), pointer(a), pointer(b)] as const;
    const extent = dx.shape[axis]!;
    if (runsAlong(dx, axis)) e.call("softmaxGradientRows", dims, ...pointers, extent);
    else {
      const steps = [dx, a, b].map((view) => 4 * view.strides[axis]!);
      e.call("softmaxGradientLanes", dims, ...pointers, extent, ...steps);
    }
  },
};

const positive = (axis: number, rank: number) => (axis < 0 ? axis + rank : axis);

/** As x lies, if its neighbours are neighbours for the softmax. */
function softmaxLayout(x: View, axis: number): Layout {
  const layout = layoutOf(x);
  return layout.order.length === 0 || x.shape[axis] === 1 ? rowMajor(x.shape.length) : layout;
}

/** Whether neighbours in memory are neighbours along the axis. */
function runsAlong(y: View, axis: number): boolean {
  if (y.strides[axis] !== 1) return false;
  // Both may have stride 1 where one of them has extent 1.
  return !y.strides.some((stride, i) => i !== axis && stride === 1 && y.shape[i]! > 1);
}

/** x as y lies, copied where it does not. */
function alike(e: Emitter, x: View, y: View): View {
  const same = x.strides.every((stride, axis) => stride === y.strides[axis] || x.shape[axis] === 1);
  return same ? x : e.copy(x, layoutOf(y));
}
