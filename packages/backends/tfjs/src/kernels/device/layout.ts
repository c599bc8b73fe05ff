import type { Tensor, Tf } from "../../tensorflow-js.ts";
import { broadcast } from "../broadcast.ts";
import { type Kernels, sizeOf } from "../kernel.ts";

/** Moving elements by TensorFlow.js's own operators, on whatever device they run. */
export const deviceLayout: Kernels = {
  Transpose: ({ tf, inputs: [x], attributes }) => tf.transpose(x!, [...attributes.perm]),
  Reshape: ({ tf, inputs: [x], outputs: [shape] }) => tf.reshape(x!, [...shape!]),
  Expand: ({ tf, inputs: [x], outputs: [shape] }) => broadcast(tf, x!, shape!),
  ReduceSum: ({ tf, inputs: [x], attributes }) => {
    const { axes, keepdims } = attributes;
    return tf.sum(x!, [...axes], keepdims);
  },
  Slice: ({ tf, inputs: [x], attributes }) => {
    const { axis, start, end } = attributes;
    return part(tf, x!, axis, start, end);
  },
  Pad: ({ tf, inputs: [x], attributes }) => {
    const { axis, before, after, mode } = attributes;
    const extent = x!.shape[axis]!;
    if (mode === "constant") {
      const widths = x!.shape.map((_, i): [number, number] => (i === axis ? [before, after] : [0, 0]));
      return tf.pad(x!, widths);
    }
    const edge = (at: number, times: number) =>
      tf.tile(
        part(tf, x!, axis, at, at + 1),
        x!.shape.map((_, i) => (i === axis ? times : 1)),
      );
    const front = () => (mode === "edge" ? edge(0, before) : part(tf, x!, axis, extent - before, extent));
    const behind = () => (mode === "edge" ? edge(extent - 1, after) : part(tf, x!, axis, 0, after));
    return tf.concat([...(before > 0 ? [front()] : []), x!, ...(after > 0 ? [behind()] : [])], axis);
  },
  Concat: ({ tf, inputs, attributes }) => tf.concat([...inputs], attributes.axis),
  CumSum: ({ tf, inputs: [x], attributes }) => {
    const { axis, exclusive, reverse } = attributes;
    return tf.cumsum(x!, axis, exclusive, reverse);
  },
  Gather: ({ tf, inputs: [x, indices], attributes, outputs: [shape] }) => {
    const { axis } = attributes;
    return tf.reshape(tf.gather(x!, tf.reshape(indices!, [-1]) as never, axis), [...shape!]);
  },
  /** A product with the one-hot rows of the indices. */
  GatherGradient: ({ tf, inputs: [dy, indices], attributes, outputs: [shape] }) => {
    const { axis } = attributes;
    const count = sizeOf(indices!.shape);
    const outer = sizeOf(shape!.slice(0, axis));
    const extent = shape![axis]!;
    const inner = sizeOf(shape!.slice(axis + 1));
    const rows = tf.transpose(tf.reshape(dy!, [outer, count, inner]), [1, 0, 2]);
    const spread = tf.cast(tf.oneHot(tf.reshape(indices!, [count]) as never, extent), "float32");
    const sums = tf.matMul(tf.transpose(spread) as never, tf.reshape(rows, [count, outer * inner]) as never);
    return tf.reshape(tf.transpose(tf.reshape(sums, [extent, outer, inner]), [1, 0, 2]), [...shape!]);
  },
};

/** Positions `start` to `end` along an axis. */
export function part(tf: Tf, x: Tensor, axis: number, start: number, end: number): Tensor {
  return tf.slice(
    x,
    x.shape.map((_, i) => (i === axis ? start : 0)),
    x.shape.with(axis, end - start),
  );
}
