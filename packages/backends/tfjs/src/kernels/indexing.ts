import { eachPicked } from "@espalier/core/graph";
import { type Kernels, sizeOf } from "./kernel.ts";
import { copyRun, produce } from "./memory.ts";

/** Positions that are computed, in JavaScript: TensorFlow.js has no such operators with batch axes, or only for few ranks. */
export const indexing: Kernels = {
  TopK: ({ tf, inputs: [x], attributes, outputs: [shape] }) => {
    const { axis, k } = attributes;
    const outer = sizeOf(shape!.slice(0, axis));
    const inner = sizeOf(shape!.slice(axis + 1));
    const extent = x!.shape[axis]!;
    const data = x!.dataSync() as Float32Array;
    const values = new Float32Array(sizeOf(shape!));
    const indices = new Int32Array(values.length);
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        rankLane(data, o * extent * inner + i, inner, extent, k, values, indices, o * k * inner + i);
      }
    }
    return [tf.tensor(values, [...shape!]), tf.tensor(indices, [...shape!], "int32")];
  },
  GatherND: ({ tf, inputs: [data, indices], attributes, outputs: [shape] }) =>
    produce(
      tf,
      shape!,
      data!.dtype === "int32" ? "int32" : "float32",
      [data!, indices!],
      (out, from, tuples) => {
        const at = { shape: indices!.shape, data: tuples! };
        eachPicked(data!.shape, at, attributes, (start, to, length) =>
          copyRun(from!, start, out, to, length),
        );
      },
    ),
  ScatterND: ({ tf, inputs: [data, indices, updates], attributes }) =>
    produce(tf, data!.shape, "float32", [data!, indices!, updates!], (out, from, tuples, parts) => {
      out.set(from!);
      const add = attributes.reduction === "add";
      const at = { shape: indices!.shape, data: tuples! };
      eachPicked(data!.shape, at, attributes, (to, start, length) => {
        if (add) for (let i = 0; i < length; i++) out[to + i]! += parts![start + i]!;
        else copyRun(parts!, start, out, to, length);
      });
    }),
};

/** The k largest numbers of one lane, kept in order while it is read once; equal ones go by position. */
function rankLane(
  data: Float32Array,
  start: number,
  step: number,
  extent: number,
  k: number,
  values: Float32Array,
  indices: Int32Array,
  to: number,
): void {
  let count = 0;
  for (let position = 0; position < extent; position++) {
    const value = data[start + position * step]!;
    if (count === k && !(value > values[to + (k - 1) * step]!)) continue;
    let rank = count < k ? count++ : k - 1;
    for (; rank > 0 && value > values[to + (rank - 1) * step]!; rank--) {
      values[to + rank * step] = values[to + (rank - 1) * step]!;
      indices[to + rank * step] = indices[to + (rank - 1) * step]!;
    }
    values[to + rank * step] = value;
    indices[to + rank * step] = position;
  }
}
