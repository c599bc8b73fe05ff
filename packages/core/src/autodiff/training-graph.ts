import { Builder, type TrainingContext, type Value } from "../graph/builder.ts";
import { type Graph, liveValues } from "../graph/graph.ts";
import { redrawNodes, redrawSources } from "../graph/redraw.ts";

/** The forward pass in training mode, to which a loss can be added. */
export interface TrainingForward {
  readonly builder: Builder;
  /** Values of the model's inputs and outputs, by name. */
  readonly inputs: ReadonlyMap<string, Value>;
  readonly outputs: ReadonlyMap<string, Value>;
  /** Trainable tensors that some output depends on, by name, in graph order. */
  readonly parameters: ReadonlyMap<string, Value>;
}

/**
 * Draws the training graph of an evaluation graph: copies the live nodes, and replaces those that behave differently in
 * training (dropout, batch statistics). It is redrawn whenever it is needed, so a model that was pruned or loaded from
 * a file trains without the code that first drew it. `seed` and `step` are scalar values of the new graph.
 */
export function drawTrainingForward(
  graph: Graph,
  randomness: (b: Builder) => { readonly seed: Value; readonly step: Value },
): TrainingForward {
  const builder = Builder.create();
  const live = liveValues(graph);
  const values = redrawSources(builder, graph, live);
  const tensorOf = new Map(
    graph.tensors.flatMap(({ name, value }) => (live[value] ? [[values[value]!.id, name] as const] : [])),
  );
  const { seed, step } = randomness(builder);
  redrawNodes(builder, graph, values, {
    live,
    draw({ operator, name, attributes }, inputs) {
      const context: TrainingContext = {
        seed,
        step,
        node: name,
        update: (input, value) => builder.update(tensorOf.get(input.id)!, value),
      };
      return operator.train?.(builder.scope(name), inputs, attributes, context);
    },
  });
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
