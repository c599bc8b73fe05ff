import { EspalierError } from "../errors.ts";
import type { Builder, Value } from "../graph/builder.ts";
import { printShape } from "../graph/extent.ts";
import type { Graph, ValueId } from "../graph/graph.ts";
import { add } from "../operators/elementwise.ts";

/**
 * Draws the backward pass of everything that `b` has drawn so far: d loss / d value for each of the given values, in
 * their order. `loss` must be a scalar. The gradient of a value that the loss does not depend on is undefined.
 */
export function differentiate(
  b: Builder,
  loss: Value,
  targets: readonly Value[],
): readonly (Value | undefined)[] {
  if (loss.shape.length !== 0) {
    throw new EspalierError(`the loss must be a scalar; it has shape ${printShape(loss.shape)}.`);
  }
  const { graph } = b.build();
  const forward = graph.nodes.slice();
  const wanted = dependents(graph, targets);
  const gradients = new Map<ValueId, Value>([[loss.id, b.constant(1)]]);
  const g = b.scope("gradient");

  for (const node of forward.reverse()) {
    if (!node.outputs.some((output) => gradients.has(output))) continue;
    if (!node.inputs.some((input) => wanted[input])) continue;
    if (node.operator.gradient === undefined) {
      throw new EspalierError(`node ${node.name}: operator ${node.operator.name} has no gradient.`);
    }
    const parts = node.operator.gradient(g, {
      inputs: node.inputs.map((id) => b.value(id)),
      outputs: node.outputs.map((id) => b.value(id)),
      gradients: node.outputs.map((id) => gradients.get(id)),
      attributes: node.attributes,
      wants: (i) => wanted[node.inputs[i]!] === 1,
    });
    parts.forEach((part, i) => {
      const input = node.inputs[i]!;
      if (part === undefined || !wanted[input]) return;
      const sum = gradients.get(input);
      gradients.set(input, sum === undefined ? part : add(g, sum, part));
    });
  }
  return targets.map((target) => gradients.get(target.id));
}

/** Marks every value that depends on one of the targets, including the targets. */
function dependents(graph: Graph, targets: readonly Value[]): Uint8Array {
  const marks = new Uint8Array(graph.values.length);
  for (const target of targets) marks[target.id] = 1;
  for (const node of graph.nodes) {
    if (node.inputs.some((input) => marks[input])) for (const output of node.outputs) marks[output] = 1;
  }
  return marks;
}
