import type { PoolAttributes } from "@espalier/core";
import type { Tensor } from "../runtime.ts";
import { type Call, type Kernels, sizeOf } from "./kernel.ts";

/**
 * Pooling in JavaScript over the data as it lies: TensorFlow.js pools two axes of channels-last images only, and the
 * average of a long window costs no more here than that of a short one.
 */
export const pooling: Kernels = {
  AveragePool: (call) => {
    const { outer, inner, extent, positions, bounds } = windows(
      call,
      call.inputs[0]!.shape,
      call.outputs[0]!,
    );
    const x = call.inputs[0]!.dataSync() as Float32Array;
    return filled(call, (y) => {
      const sums = new Float64Array(inner);
      for (let o = 0; o < outer; o++) {
        sums.fill(0);
        let [from, to] = [0, 0];
        for (let p = 0; p < positions; p++) {
          const [start, end] = bounds(p);
          for (; to < end; to++) addRow(sums, x, (o * extent + to) * inner, 1);
          for (; from < start; from++) addRow(sums, x, (o * extent + from) * inner, -1);
          const at = (o * positions + p) * inner;
          for (let i = 0; i < inner; i++) y[at + i] = sums[i]! / (end - start);
        }
      }
    });
  },
  AveragePoolGradient: (call) => {
    const { outer, inner, extent, positions, bounds } = windows(
      call,
      call.outputs[0]!,
      call.inputs[0]!.shape,
    );
    const dy = call.inputs[0]!.dataSync() as Float32Array;
    return filled(call, (dx) => {
      // Differences along the axis first: each window adds its share where it starts and takes it away behind its end.
      const steps = new Float64Array((extent + 1) * inner);
      for (let o = 0; o < outer; o++) {
        steps.fill(0);
        for (let p = 0; p < positions; p++) {
          const [start, end] = bounds(p);
          const at = (o * positions + p) * inner;
          for (let i = 0; i < inner; i++) {
            const share = dy[at + i]! / (end - start);
            steps[start * inner + i]! += share;
            steps[end * inner + i]! -= share;
          }
        }
        for (let i = 0; i < inner; i++) {
          let sum = 0;
          for (let e = 0; e < extent; e++) {
            sum += steps[e * inner + i]!;
            dx[(o * extent + e) * inner + i] = sum;
          }
        }
      }
    });
  },
  MaxPool: (call) => {
    const x = call.inputs[0]!.dataSync() as Float32Array;
    return filled(call, (y) => {
      eachLargest(call, call.inputs[0]!.shape, call.outputs[0]!, x, (to, from) => {
        y[to] = x[from]!;
      });
    });
  },
  MaxPoolGradient: (call) => {
    const [dy, x] = call.inputs.map((input) => input.dataSync() as Float32Array);
    return filled(call, (dx) => {
      eachLargest(call, call.outputs[0]!, call.inputs[0]!.shape, x!, (from, to) => {
        dx[to]! += dy![from]!;
      });
    });
  },
};

/**
 * The windows over an axis of `shape`, as many as `pooled` has positions; `bounds` gives the first position of each and the
 * one behind its last.
 */
function windows({ attributes }: Call, shape: readonly number[], pooled: readonly number[]) {
  const { axis, kernel, stride, before } = attributes as PoolAttributes;
  const extent = shape[axis]!;
  return {
    outer: sizeOf(shape.slice(0, axis)),
    inner: sizeOf(shape.slice(axis + 1)),
    extent,
    positions: pooled[axis]!,
    bounds: (p: number): [number, number] => [
      Math.max(0, p * stride - before),
      Math.min(extent, p * stride - before + kernel),
    ],
  };
}

/** The first largest position of every window. */
function eachLargest(
  call: Call,
  shape: readonly number[],
  pooled: readonly number[],
  x: Float32Array,
  visit: (window: number, largest: number) => void,
): void {
  const { outer, inner, extent, positions, bounds } = windows(call, shape, pooled);
  for (let o = 0; o < outer; o++) {
    for (let p = 0; p < positions; p++) {
      const [start, end] = bounds(p);
      for (let i = 0; i < inner; i++) {
        let best = (o * extent + start) * inner + i;
        for (let at = best + inner, e = start + 1; e < end; e++, at += inner)
          if (x[at]! > x[best]!) best = at;
        visit((o * positions + p) * inner + i, best);
      }
    }
  }
}

function addRow(sums: Float64Array, x: Float32Array, at: number, sign: number): void {
  for (let i = 0; i < sums.length; i++) sums[i]! += sign * x[at + i]!;
}

/** A tensor of the call's first output, filled by `fill`. */
function filled({ tf, outputs: [shape] }: Call, fill: (data: Float32Array) => void): Tensor {
  const data = new Float32Array(sizeOf(shape!));
  fill(data);
  return tf.tensor(data, [...shape!]);
}
