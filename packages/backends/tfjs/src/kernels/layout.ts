import type {
  ConcatAttributes,
  GatherAttributes,
  GatherGradientAttributes,
  PadAttributes,
  PermutationAttributes,
  ReduceAttributes,
  SliceAttributes,
} from "@espalier/core";
import { type Kernels, sizeOf } from "./kernel.ts";

export const layout: Kernels = {
  Transpose: ({ tf, inputs: [x], attributes }) =>
    tf.transpose(x!, [...(attributes as PermutationAttributes).perm]),
  Reshape: ({ tf, inputs: [x], outputs: [shape] }) => tf.reshape(x!, [...shape!]),
  Expand: ({ tf, inputs: [x], outputs: [shape] }) => tf.broadcastTo(x!, [...shape!] as never),
  ReduceSum: ({ tf, inputs: [x], attributes }) => {
    const { axes, keepdims } = attributes as ReduceAttributes;
    return tf.sum(x!, [...axes], keepdims);
  },
  Slice: ({ tf, inputs: [x], attributes, outputs: [shape] }) => {
    const { axis, start } = attributes as SliceAttributes;
    return tf.slice(
      x!,
      x!.shape.map((_, i) => (i === axis ? start : 0)),
      [...shape!],
    );
  },
  Pad: ({ tf, inputs: [x], attributes }) => {
    const { axis, before, after } = attributes as PadAttributes;
    return tf.pad(
      x!,
      x!.shape.map((_, i): [number, number] => (i === axis ? [before, after] : [0, 0])),
    );
  },
  Concat: ({ tf, inputs, attributes }) => tf.concat([...inputs], (attributes as ConcatAttributes).axis),
  Gather: ({ tf, inputs: [x, indices], attributes, outputs: [shape] }) => {
    const { axis } = attributes as GatherAttributes;
    return tf.reshape(tf.gather(x!, tf.reshape(indices!, [-1]) as never, axis), [...shape!]);
  },
  /** A product with the one-hot rows of the indices: scattering has no kernel in the wasm backend that adds. */
  GatherGradient: ({ tf, inputs: [dy, indices], attributes, outputs: [shape] }) => {
    const { axis } = attributes as GatherGradientAttributes;
    const count = sizeOf(indices!.shape);
    const outer = sizeOf(shape!.slice(0, axis));
    const extent = shape![axis]!;
    const inner = sizeOf(shape!.slice(axis + 1));
    const rows = tf.transpose(tf.reshape(dy!, [outer, count, inner]), [1, 0, 2]);
    const spread = tf.oneHot(tf.reshape(indices!, [count]) as never, extent);
    const sums = tf.matMul(
      tf.transpose(tf.cast(spread, "float32")) as never,
      tf.reshape(rows, [count, outer * inner]) as never,
    );
    return tf.reshape(tf.transpose(tf.reshape(sums, [extent, outer, inner]), [1, 0, 2]), [...shape!]);
  },
};
