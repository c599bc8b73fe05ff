import type { PoolAttributes } from "@espalier/core/graph";
import { type Kernels, sizeOf } from "./kernel.ts";
import { type Numbers, produce } from "./memory.ts";

/**
 * Pooling in JavaScript over the data as it lies: TensorFlow.js pools two axes of channels-last images only, and the
 * average of a long window costs no more here than that of a short one.
 */
export const pooling: Kernels = {
  AveragePool: ({ tf, inputs: [x], attributes, outputs: [shape] }) =>
    produce(tf, shape!, "float32", [x!], (y, from) => {
      const { outer, inner, extent, positions, bounds } = windows(attributes, x!.shape, shape!);
      const sums = new Float64Array(inner);
      for (let o = 0; o < outer; o++) {
        sums.fill(0);
        let [first, behind] = [0, 0];
        for (let p = 0; p < positions; p++) {
          const [start, end] = bounds(p);
          for (; behind < end; behind++) addRow(sums, from!, (o * extent + behind) * inner, 1);
          for (; first < start; first++) addRow(sums, from!, (o * extent + first) * inner, -1);
          const at = (o * positions + p) * inner;
          for (let i = 0; i < inner; i++) y[at + i] = sums[i]! / (end - start);
        }
      }
    }),
  AveragePoolGradient: ({ tf, inputs: [dy], attributes, outputs: [shape] }) =>
    produce(tf, shape!, "float32", [dy!], (dx, from) => {
      const { outer, inner, extent, positions, bounds } = windows(attributes, shape!, dy!.shape);
      // Differences along the axis first: each window adds its share where it starts and takes it away behind its end.
      const steps = new Float64Array((extent + 1) * inner);
      for (let o = 0; o < outer; o++) {
        steps.fill(0);
        for (let p = 0; p < positions; p++) {
          const [start, end] = bounds(p);
          const at = (o * positions + p) * inner;
          for (let i = 0; i < inner; i++) {
            const share = from![at + i]! / (end - start);
            steps[start * inner + i]! += share;
            steps[end * inner + i]! -= share;
          }
        }
        for (let i = inner; i < extent * inner; i++) steps[i]! += steps[i - inner]!;
        for (let i = 0; i < extent * inner; i++) dx[o * extent * inner + i] = steps[i]!;
      }
    }),
  MaxPool: ({ tf, inputs: [x], attributes, outputs: [shape] }) =>
    produce(tf, shape!, "float32", [x!], (y, from) => {
      eachLargest(windows(attributes, x!.shape, shape!), from!, (to, at) => {
        y[to] = from![at]!;
      });
    }),
  MaxPoolGradient: ({ tf, inputs: [dy, x], attributes, outputs: [shape] }) =>
    produce(tf, shape!, "float32", [dy!, x!], (dx, slopes, values) => {
      dx.fill(0);
      eachLargest(windows(attributes, shape!, dy!.shape), values!, (from, to) => {
        dx[to]! += slopes![from]!;
      });
    }),
};

/**
 * The windows over an axis of `shape`, as many as `pooled` has positions; `bounds` gives the first position of each and the
 * one behind its last.
 */
function windows(attributes: PoolAttributes, shape: readonly number[], pooled: readonly number[]) {
  const { axis, kernel, stride, before } = attributes;
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
  { outer, inner, extent, positions, bounds }: ReturnType<typeof windows>,
  x: Numbers,
  visit: (window: number, largest: number) => void,
): void {
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

function addRow(sums: Float64Array, x: Numbers, at: number, sign: number): void {
  for (let i = 0; i < sums.length; i++) sums[i]! += sign * x[at + i]!;
}
