import { float32, type TensorData } from "@espalier/core";
import type { Graph } from "@espalier/core/graph";

/** The numbers of numbers_of.py: FNV-1a of a name, and an integer hash of the position. */
export function numbers(name: string, shape: readonly number[]): TensorData {
  let seed = 2166136261;
  for (const byte of new TextEncoder().encode(name)) seed = Math.imul(seed ^ byte, 16777619);
  const size = shape.reduce((n, extent) => n * extent, 1);
  const data = Float32Array.from({ length: size }, (_, i) => {
    let x = (seed + Math.imul(i + 1, 2654435761)) | 0;
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
    x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
    return ((x ^ (x >>> 16)) >>> 0) / 2 ** 32 - 0.5;
  });
  return float32(shape, data);
}

/** `factor` · x + `by`. */
export function scaled({ shape, data }: TensorData, factor: number, by = 0): TensorData {
  return float32(
    shape,
    data.map((value) => factor * value + by),
  );
}

/** The tensors that `fill` of numbers_of.py gives a model; tables that the drawing makes by itself are left out. */
export function checkpointOf(graph: Graph): Map<string, TensorData> {
  const tensors = new Map<string, TensorData>();
  for (const { name, role, value } of graph.tensors) {
    const statistics = name.endsWith("running_var") || name.endsWith("running_mean");
    if (role !== "trainable" && !statistics) continue;
    const shape = graph.values[value]!.shape as number[];
    const aroundOne = name.endsWith("running_var") || (name.endsWith("weight") && shape.length === 1);
    tensors.set(name, scaled(numbers(name, shape), 1, aroundOne ? 1 : 0));
  }
  return tensors;
}
