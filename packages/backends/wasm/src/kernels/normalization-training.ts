import type { ValueId } from "@espalier/core/graph";
import { type Emitter, pointer } from "../compile/emitter.ts";
import { asMatrix, axes, rowMajor, transposeView, type View } from "../compile/view.ts";
import { channelMajor } from "../compile/wanted.ts";
import type { Emits } from "./kernel.ts";
import { alike, outputMatrix, positive, runsAlong, softmaxLayout, vectorsOf } from "./normalization.ts";

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

/** Statistics of a batch, and gradients. */
export const normalizationTraining: Emits = {
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
