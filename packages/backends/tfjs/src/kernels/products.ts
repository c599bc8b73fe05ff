import type { Tensor3D } from "@tensorflow/tfjs";
import type { Tensor, Tf } from "../runtime.ts";
import { type Kernels, sizeOf } from "./kernel.ts";

export const products: Kernels = {
  /** Operands are never transposed in the call: that leaves the wasm backend's fast path. */
  MatMul: ({ tf, inputs: [a, b], outputs: [shape] }) => {
    const [rows, inner] = [a!.shape.at(-2)!, a!.shape.at(-1)!];
    const columns = b!.shape.at(-1)!;
    if (b!.shape.length === 2) {
      return tf.reshape(tf.matMul(tf.reshape(a!, [-1, inner]), b as never), [...shape!]);
    }
    const lead = shape!.slice(0, -2);
    const count = sizeOf(lead);
    const left = flat(tf, a!, lead, count, rows, inner);
    const right = flat(tf, b!, lead, count, inner, columns);
    return tf.reshape(tf.matMul(left, right), [...shape!]);
  },
};

/** Leading axes as one, repeated where they broadcast. */
function flat(
  tf: Tf,
  x: Tensor,
  lead: readonly number[],
  count: number,
  rows: number,
  columns: number,
): Tensor3D {
  const full = [...lead, rows, columns];
  const repeated = sizeOf(x.shape) === count * rows * columns ? x : tf.broadcastTo(x, full as never);
  return tf.reshape(repeated, [count, rows, columns]);
}
