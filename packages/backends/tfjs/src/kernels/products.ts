import type { Tensor3D } from "@tensorflow/tfjs";
import type { Tensor, Tf } from "../tensorflow-js.ts";
import { type Kernels, sizeOf } from "./kernel.ts";
import { copyRun, type Memory, memoryOf } from "./memory.ts";

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
    const memory = rows * inner * columns < largeProduct ? undefined : memoryOf(tf);
    const product = memory === undefined ? tf.matMul(left, right) : oneByOne(tf, memory, left, right);
    return tf.reshape(product, [...shape!]);
  },
};

/** Multiply-adds from which on a product is worth a call of its own. */
const largeProduct = 20_000;

/**
 * Products of a batch in the wasm backend, each by a call: its batched product leaves the fast path and is 4 to 7 times
 * slower from a few ten thousand multiply-adds on (128 products of 144 × 16 with 16 × 144: 86 ms, one by one 13 ms).
 */
function oneByOne(tf: Tf, memory: Memory, left: Tensor3D, right: Tensor3D): Tensor {
  const [count, rows, inner] = left.shape;
  const columns = right.shape[2];
  const out = memory.empty([count, rows, columns], "float32");
  const a = memory.empty([rows, inner], "float32");
  for (let i = 0; i < count; i++) {
    // A new one each time: the backend packs a right operand once for as long as it lives.
    const b = memory.empty([inner, columns], "float32");
    copyRun(memory.view(left), i * rows * inner, memory.view(a), 0, rows * inner);
    copyRun(memory.view(right), i * inner * columns, memory.view(b), 0, inner * columns);
    const product = tf.matMul(a as never, b as never);
    copyRun(memory.view(product), 0, memory.view(out), i * rows * columns, rows * columns);
    product.dispose();
    b.dispose();
  }
  return out;
}

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
