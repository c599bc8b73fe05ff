import type { Backend, Tensors } from "../backend.ts";
import { resolveShape } from "../graph/extent.ts";
import { float32, type TensorData } from "../graph/tensor.ts";
import { randomStream } from "../operators/random.ts";
import type { Model } from "./model.ts";

/** Random inputs for a graph at a batch size, uniform in ±1; indices (int32) are 0. */
export function randomInputs(
  { graph }: Pick<Model, "graph">,
  batchSize = 2,
  seed = 7,
): Map<string, TensorData> {
  return new Map(
    graph.inputs.map(({ name, value }) => {
      const { dtype, shape: drawn } = graph.values[value]!;
      const shape = resolveShape(drawn, batchSize);
      const next = randomStream(seed, name);
      const size = shape.reduce((n, extent) => n * extent, 1);
      if (dtype === "int32") return [name, { dtype, shape, data: new Int32Array(size) }];
      const data = Float32Array.from({ length: size }, () => 2 * next() - 1);
      return [name, float32(shape, data)];
    }),
  );
}

/** Runs a model on a backend and returns all outputs. */
export async function runModel(
  model: Pick<Model, "graph" | "tensors">,
  backend: Backend,
  inputs: Tensors,
): Promise<Tensors> {
  const state = await backend.createState(model.tensors);
  const program = await backend.compile(model.graph, { state });
  try {
    return await program.run(inputs);
  } finally {
    program.dispose();
    state.dispose();
  }
}

/** ‖a − b‖ ÷ ‖b‖ over all elements; shapes must agree. */
export function relativeError(a: TensorData, b: TensorData): number {
  if (a.shape.join() !== b.shape.join()) return Number.POSITIVE_INFINITY;
  let difference = 0;
  let norm = 0;
  b.data.forEach((value, i) => {
    difference += (a.data[i]! - value) ** 2;
    norm += value ** 2;
  });
  if (Number.isNaN(difference)) return Number.POSITIVE_INFINITY;
  return norm === 0 ? Math.sqrt(difference) : Math.sqrt(difference / norm);
}
