import { Builder, type TrainingContext, type Value } from "../graph/builder.ts";
import { type Graph, isLive, liveValues } from "../graph/graph.ts";

/** The forward pass as training runs it, ready for a loss. */
export interface TrainingForward {
  readonly builder: Builder;
  /** Values of the model's inputs and outputs, by name. */
  readonly inputs: ReadonlyMap<string, Value>;
  readonly outputs: ReadonlyMap<string, Value>;
  /** Trainable tensors that some output depends on, by name, in graph order. */
  readonly parameters: ReadonlyMap<string, Value>;
}

/**
 * Draws the training graph of an evaluation graph: live nodes as they are, except those that say what they are during
 * training (dropout, batch statistics). It is drawn anew whenever it is needed, so a pruned model, or one loaded from a
 * file, trains without the code that first drew it. `seed` and `step` are scalar values of the new graph.
 */
export function drawTrainingForward(
  graph: Graph,
  randomness: (b: Builder) => { readonly seed: Value; readonly step: Value },
): TrainingForward {
  const builder = Builder.create();
  const values: Value[] = new Array(graph.values.length);
  for (const { name, value } of graph.inputs) {
    const { shape, dtype } = graph.values[value]!;
    values[value] = builder.input(name, shape, dtype);
  }
  const live = liveValues(graph);
  const tensorOf = new Map<number, string>();
  for (const { name, role, value } of graph.tensors) {
    if (!live[value]) continue;
    values[value] = builder.tensor(name, role, graph.values[value]!);
    tensorOf.set(values[value].id, name);
  }
  const { seed, step } = randomness(builder);
  for (const node of graph.nodes) {
    if (!isLive(node, live)) continue;
    const inputs = node.inputs.map((id) => values[id]!);
    const context: TrainingContext = {
      seed,
      step,
      node: node.name,
      update: (input, value) => builder.update(tensorOf.get(input.id)!, value),
    };
    const outputs =
      node.operator.train?.(builder.scope(node.name), inputs, node.attributes, context) ??
      builder.applyAll(node.operator, inputs, node.attributes, node.name);
    node.outputs.forEach((id, i) => {
      values[id] = outputs[i]!;
    });
  }
  return {
    builder,
    inputs: new Map(graph.inputs.map(({ name, value }) => [name, values[value]!])),
    outputs: new Map(graph.outputs.map(({ name, value }) => [name, values[value]!])),
    parameters: new Map(
      graph.tensors.flatMap(({ name, role, value }) =>
        role === "trainable" && live[value] ? [[name, values[value]!] as const] : [],
      ),
    ),
  };
}
