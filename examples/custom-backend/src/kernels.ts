import type { TensorData } from "@espalier/core";
import type { Node } from "@espalier/core/graph";

/** Computes the outputs of a node; undefined if the kernel does not cover this case. */
export type Kernel = (
  node: Node,
  inputs: readonly TensorData[],
  shapes: readonly (readonly number[])[],
) => Float32Array[] | undefined;

/** Kernels by the operator's name. Everything else is computed by the operator's definition. */
export const kernels: ReadonlyMap<string, Kernel> = new Map([
  ["MatMul", matMul],
  ["Relu", (_node, [x]) => [(x!.data as Float32Array).map((v) => Math.max(v, 0))]],
]);

/** x […, M, K] · y [K, N]: a matrix that all leading positions share, which is what a layer's weight is. */
function matMul(_node: Node, [x, y]: readonly TensorData[]): Float32Array[] | undefined {
  if (y!.shape.length !== 2) return undefined;
  const [inner, columns] = y!.shape as [number, number];
  if (inner === 0) return undefined;
  const rows = x!.data.length / inner;
  const out = new Float32Array(rows * columns);
  for (let r = 0; r < rows; r++) {
    for (let k = 0; k < inner; k++) {
      const left = x!.data[r * inner + k]!;
      // What was pruned away, or switched off by an activation, costs nothing.
      if (left === 0) continue;
      for (let c = 0; c < columns; c++) out[r * columns + c]! += left * y!.data[k * columns + c]!;
    }
  }
  return [out];
}
