import type { GatherNDAttributes } from "@espalier/core/graph";
import type { Tensor, Tensor1D, Tensor2D, Tf } from "../../tensorflow-js.ts";
import { type Kernels, sizeOf } from "../kernel.ts";

/** Positions that are computed, with index arithmetic on the device. */
export const deviceIndexing: Kernels = {
  TopK: ({ tf, inputs: [x], attributes }) => {
    const { axis, k } = attributes;
    const last = x!.shape.length - 1;
    if (axis === last) return pair(tf.topk(x!, k, true));
    const order = x!.shape.map((_, i) => (i === axis ? last : i === last ? axis : i));
    const { values, indices } = tf.topk(tf.transpose(x!, order), k, true);
    // Its transpose takes float32 only, and its cast only says so: the sum is what makes them floats.
    const floats = tf.add(tf.cast(indices, "float32"), 0);
    return [tf.transpose(values, order), tf.cast(tf.transpose(floats, order), "int32")];
  },
  GatherND: ({ tf, inputs: [data, indices], attributes, outputs: [shape] }) => {
    const { rows, length, positions } = pointed(tf, data!, indices!, attributes);
    return tf.reshape(tf.gather(tf.reshape(data!, [rows, length]), positions), [...shape!]);
  },
  ScatterND: ({ tf, inputs: [data, indices, updates], attributes }) => {
    const { rows, length, positions } = pointed(tf, data!, indices!, attributes);
    const old = tf.reshape(data!, [rows, length]);
    const at = tf.reshape(positions, [-1, 1]);
    const put = (values: Tensor) =>
      tf.scatterND(at as Tensor2D, tf.reshape(values, [positions.size, length]), [rows, length]);
    const parts = put(updates!);
    const { reduction } = attributes;
    if (reduction === "add") return tf.reshape(tf.add(old, parts), data!.shape);
    return tf.reshape(tf.where(tf.greater(put(tf.onesLike(updates!)), 0), parts, old), data!.shape);
  },
};

function pair({ values, indices }: { values: Tensor; indices: Tensor }): Tensor[] {
  return [values, indices];
}

/** The data as rows of what one tuple points at, and the row each tuple points at. */
function pointed(tf: Tf, data: Tensor, indices: Tensor, { batchDims }: GatherNDAttributes) {
  const size = indices.shape.at(-1)!;
  const extents = data.shape.slice(batchDims, batchDims + size);
  const [batches, block] = [sizeOf(data.shape.slice(0, batchDims)), sizeOf(extents)];
  const tuples = tf.reshape(indices, [batches, -1, size]);
  const steps = extents.map((_, i) => sizeOf(extents.slice(i + 1)));
  const within = tf.sum(tf.mul(tuples, tf.tensor(steps, [1, 1, size], "int32")), -1);
  const before = tf.mul(
    tf.reshape(tf.range(0, batches, 1, "int32"), [batches, 1]),
    tf.scalar(block, "int32"),
  );
  return {
    rows: batches * block,
    length: sizeOf(data.shape.slice(batchDims + size)),
    positions: tf.reshape(tf.add(within, before), [-1]) as Tensor1D,
  };
}
