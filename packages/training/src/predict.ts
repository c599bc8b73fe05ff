import { type Backend, EspalierError, type Model, type TensorData } from "@espalier/core";

/** Runs a model once. Takes inputs by name; the first output is the forecast `[batch, horizon, series]`. */
export async function predict(
  model: Model,
  backend: Backend,
  inputs: ReadonlyMap<string, TensorData>,
): Promise<TensorData> {
  const state = await backend.createState(model.tensors);
  const program = await backend.compile(model.graph, { state });
  try {
    const outputs = await program.run(inputs);
    const [first] = outputs.values();
    if (first === undefined) throw new EspalierError(`model ${model.name} has no output.`);
    return first;
  } finally {
    program.dispose();
    state.dispose();
  }
}
