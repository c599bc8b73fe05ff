import type { Tensor } from "../tensorflow-js.ts";
import { type Kernels, sizeOf } from "./kernel.ts";
import { copyRun, type Numbers, produce } from "./memory.ts";

/**
 * Moving elements is done here where TensorFlow.js is slow at it: its wasm backend slices, joins, repeats and gathers
 * element by element where the innermost run is short, as it is for the two parts of complex numbers.
 */
export const layout: Kernels = {
  Transpose: ({ tf, inputs: [x], attributes }) => tf.transpose(x!, [...attributes.perm]),
  Reshape: ({ tf, inputs: [x], outputs: [shape] }) => tf.reshape(x!, [...shape!]),
  Expand: ({ tf, inputs: [x], outputs: [shape] }) =>
    produce(tf, shape!, dtypeOf(x!), [x!], (out, from) => {
      const lead = shape!.length - x!.shape.length;
      const own = shape!.map((_, axis) => (axis < lead ? 1 : x!.shape[axis - lead]!));
      repeat(from!, own, out, shape!);
    }),
  ReduceSum: ({ tf, inputs: [x], attributes }) => {
    const { axes, keepdims } = attributes;
    return tf.sum(x!, [...axes], keepdims);
  },
  Slice: ({ tf, inputs: [x], attributes, outputs: [shape] }) => {
    const { axis, start, end } = attributes;
    const { outer, extent, inner } = around(x!.shape, axis);
    const run = (end - start) * inner;
    return produce(tf, shape!, dtypeOf(x!), [x!], (out, from) => {
      for (let o = 0; o < outer; o++) copyRun(from!, (o * extent + start) * inner, out, o * run, run);
    });
  },
  Pad: ({ tf, inputs: [x], attributes, outputs: [shape] }) => {
    const { axis, before, after, mode } = attributes;
    const { outer, extent, inner } = around(x!.shape, axis);
    const padded = shape![axis]!;
    /** Source of the rows from `at` on: a row of x, or none. */
    const source = (at: number) => (mode === "edge" ? (at < 0 ? 0 : extent - 1) : (at + extent) % extent);
    return produce(tf, shape!, dtypeOf(x!), [x!], (out, from) => {
      for (let o = 0; o < outer; o++) {
        const start = o * padded * inner;
        copyRun(from!, o * extent * inner, out, start + before * inner, extent * inner);
        if (mode === "constant") {
          out.fill(0, start, start + before * inner);
          out.fill(0, start + (before + extent) * inner, start + padded * inner);
          continue;
        }
        for (let i = 0; i < before + after; i++) {
          const at = i < before ? i - before : extent + i - before;
          copyRun(from!, (o * extent + source(at)) * inner, out, start + (at + before) * inner, inner);
        }
      }
    });
  },
  Concat: ({ tf, inputs, attributes, outputs: [shape] }) => {
    const { axis } = attributes;
    const { outer, extent, inner } = around(shape!, axis);
    return produce(tf, shape!, dtypeOf(inputs[0]!), inputs, (out, ...parts) => {
      let before = 0;
      parts.forEach((part, i) => {
        const run = inputs[i]!.shape[axis]! * inner;
        for (let o = 0; o < outer; o++) copyRun(part, o * run, out, o * extent * inner + before, run);
        before += run;
      });
    });
  },
  CumSum: ({ tf, inputs: [x], attributes }) => {
    const { axis, exclusive, reverse } = attributes;
    return tf.cumsum(x!, axis, exclusive, reverse);
  },
  Gather: ({ tf, inputs: [x, indices], attributes, outputs: [shape] }) => {
    const { outer, extent, inner } = around(x!.shape, attributes.axis);
    return produce(tf, shape!, dtypeOf(x!), [x!, indices!], (out, from, positions) => {
      const count = positions!.length;
      for (let o = 0; o < outer; o++) {
        for (let i = 0; i < count; i++) {
          copyRun(from!, (o * extent + positions![i]!) * inner, out, (o * count + i) * inner, inner);
        }
      }
    });
  },
  GatherGradient: ({ tf, inputs: [dy, indices], attributes, outputs: [shape] }) => {
    const { outer, extent, inner } = around(shape!, attributes.axis);
    return produce(tf, shape!, "float32", [dy!, indices!], (out, from, positions) => {
      out.fill(0);
      const count = positions!.length;
      for (let o = 0; o < outer; o++) {
        for (let i = 0; i < count; i++) {
          const to = (o * extent + positions![i]!) * inner;
          const at = (o * count + i) * inner;
          for (let k = 0; k < inner; k++) out[to + k]! += from![at + k]!;
        }
      }
    });
  },
};

function dtypeOf(tensor: Tensor): "float32" | "int32" {
  return tensor.dtype === "int32" ? "int32" : "float32";
}

/** Elements before, along and behind an axis. */
function around(shape: readonly number[], axis: number) {
  return {
    outer: sizeOf(shape.slice(0, axis)),
    extent: shape[axis]!,
    inner: sizeOf(shape.slice(axis + 1)),
  };
}

/** Repeats axes of extent 1 of `from` [own] to fill `to` [shape]; ranks agree. */
function repeat(from: Numbers, own: readonly number[], to: Numbers, shape: readonly number[]): void {
  // Axes that agree behind the last repeated one are one run; what lies before it is filled run by run.
  const last = shape.findLastIndex((extent, axis) => extent !== own[axis]);
  if (last < 0) {
    to.set(from);
    return;
  }
  const inner = sizeOf(shape.slice(last + 1));
  const times = shape[last]!;
  const positions = sizeOf(shape.slice(0, last));
  const steps = stepsOf(own, shape, last);
  for (let position = 0; position < positions; position++) {
    let [start, rest] = [0, position];
    for (let axis = last - 1; axis >= 0; axis--) {
      start += (rest % shape[axis]!) * steps[axis]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    const at = position * times * inner;
    if (inner === 1) to.fill(from[start]!, at, at + times);
    else for (let t = 0; t < times; t++) copyRun(from, start, to, at + t * inner, inner);
  }
}

/** By axis before `last`, how far its next index lies in the repeated array; 0 along repeated axes. */
function stepsOf(own: readonly number[], shape: readonly number[], last: number): number[] {
  return Array.from({ length: last }, (_, axis) =>
    own[axis] === shape[axis] ? sizeOf(own.slice(axis + 1)) : 0,
  );
}
