import type { PoolAttributes } from "@espalier/core/graph";
import type { Tensor, Tf } from "../../tensorflow-js.ts";
import { type Kernels, sizeOf } from "../kernel.ts";

/** Pooling along any axis: TensorFlow.js pools two axes of channels-last images only. */
export const devicePooling: Kernels = {
  AveragePool: ({ tf, inputs: [x], attributes, outputs: [shape] }) => {
    const { axis } = attributes;
    const weights = shares(tf, attributes, x!.shape[axis]!, shape![axis]!);
    return along(tf, x!, axis, (rows) => tf.matMul(rows, weights, false, true));
  },
  AveragePoolGradient: ({ tf, inputs: [dy], attributes, outputs: [shape] }) => {
    const { axis } = attributes;
    const weights = shares(tf, attributes, shape![axis]!, dy!.shape[axis]!);
    return along(tf, dy!, axis, (rows) => tf.matMul(rows, weights));
  },
  MaxPool: ({ tf, inputs: [x], attributes, outputs: [shape] }) => {
    const { axis } = attributes;
    return along(tf, x!, axis, (rows) => tf.max(windows(tf, rows, attributes, shape![axis]!), 2));
  },
  MaxPoolGradient: ({ tf, inputs: [dy, x], attributes }) => {
    const { axis } = attributes;
    const [count, extent] = [dy!.shape[axis]!, x!.shape[axis]!];
    return along(tf, x!, axis, (rows) => {
      const best = tf.argMax(windows(tf, rows, attributes, count), 2);
      // Where the window's best number lies: positions that the window shows twice at its end are the same one.
      const places = tf.tensor2d(positions(attributes, extent, count), undefined, "int32");
      const kernel = places.shape[1]!;
      const chosen = tf.mul(tf.oneHot(best as never, kernel), tf.reshape(places, [1, count, kernel]));
      const at = tf.cast(tf.sum(chosen, 2), "int32");
      const spread = tf.cast(tf.oneHot(at as never, extent), "float32");
      const slopes = tf.reshape(lanes(tf, dy!, axis), [rows.shape[0]!, count, 1]);
      return tf.sum(tf.mul(spread, slopes), 1);
    });
  },
};

/** The positions each window covers; those beyond an end are its outermost one, which is in the window anyway. */
function positions(attributes: PoolAttributes, extent: number, count: number): number[][] {
  const { kernel, stride, before } = attributes;
  const inside = (at: number) => Math.min(Math.max(at, 0), extent - 1);
  return Array.from({ length: count }, (_, p) =>
    Array.from({ length: kernel }, (__, k) => inside(p * stride - before + k)),
  );
}

/** rows [n, extent] → [n, windows, kernel]. */
function windows(tf: Tf, rows: Tensor, attributes: PoolAttributes, count: number): Tensor {
  const places = positions(attributes, rows.shape[1]!, count);
  const picked = tf.gather(rows, tf.tensor1d(places.flat(), "int32"), 1);
  return tf.reshape(picked, [rows.shape[0]!, count, places[0]!.length]);
}

/** By window and position, the position's share in the window's mean: [windows, extent]. */
function shares(tf: Tf, attributes: PoolAttributes, extent: number, count: number): Tensor {
  const { kernel, stride, before } = attributes;
  const matrix = Array.from({ length: count }, (_, p) => {
    const start = Math.max(0, p * stride - before);
    const end = Math.min(extent, p * stride - before + kernel);
    return Array.from({ length: extent }, (__, at) => (at >= start && at < end ? 1 / (end - start) : 0));
  });
  return tf.tensor2d(matrix);
}

/** All numbers along an axis as rows: [everything else, axis]. */
function lanes(tf: Tf, x: Tensor, axis: number): Tensor {
  const [outer, extent] = [sizeOf(x.shape.slice(0, axis)), x.shape[axis]!];
  const inner = sizeOf(x.shape.slice(axis + 1));
  return tf.reshape(tf.transpose(tf.reshape(x, [outer, extent, inner]), [0, 2, 1]), [outer * inner, extent]);
}

/** Replaces rows along an axis by others, which may be longer or shorter. */
function along(tf: Tf, x: Tensor, axis: number, f: (rows: Tensor) => Tensor): Tensor {
  const rows = f(lanes(tf, x, axis));
  const extent = rows.shape[1]!;
  const [outer, inner] = [sizeOf(x.shape.slice(0, axis)), sizeOf(x.shape.slice(axis + 1))];
  const turned = tf.transpose(tf.reshape(rows, [outer, inner, extent]), [0, 2, 1]);
  return tf.reshape(turned, x.shape.with(axis, extent));
}
