import type { Graph, Node, ValueId } from "../graph/graph.ts";
import { addOperator, divOperator, subOperator } from "../operators/elementwise.ts";
import { logOperator, powOperator } from "../operators/functions.ts";
import { isCallOf } from "../operators/operator.ts";
import type { Model } from "./model.ts";

/** A number up to this size that is added to a divisor only guards against 0. */
const guard = 1e-3;

const known = new WeakMap<Graph, ReadonlyMap<string, string>>();

/**
 * Tensors that something is divided by (or whose logarithm is taken): a 0 in one makes outputs NaN. Returns
 * the dividing node by the tensor's name.
 */
export function divisors({ graph, tensors }: Pick<Model, "graph" | "tensors">): ReadonlyMap<string, string> {
  const before = known.get(graph);
  if (before !== undefined) return before;
  const producers = new Map(graph.nodes.flatMap((node) => node.outputs.map((id) => [id, node] as const)));
  const specs = new Map(graph.tensors.map((spec) => [spec.value, spec]));
  const found = new Map<string, string>();
  /** Whether all numbers of a constant are within bounds. */
  const every = (value: ValueId, holds: (x: number) => boolean) => {
    const spec = specs.get(value);
    return spec?.role === "constant" && Array.from(tensors.get(spec.name)!.data).every(holds);
  };
  const visit = (value: ValueId, by: string, seen: Set<ValueId>): void => {
    if (seen.has(value)) return;
    seen.add(value);
    const spec = specs.get(value);
    if (spec !== undefined && !found.has(spec.name)) found.set(spec.name, by);
    const node = producers.get(value);
    if (node === undefined) return;
    node.inputs.forEach((input, i) => {
      if (carriesZero(node, i, every)) visit(input, by, seen);
    });
  };
  for (const node of graph.nodes) {
    const at = dividesBy(node, every);
    if (at !== undefined) visit(node.inputs[at]!, node.name, new Set());
  }
  known.set(graph, found);
  return found;
}

type Every = (value: ValueId, holds: (x: number) => boolean) => boolean;

/** The input that must not be 0. */
function dividesBy(node: Node, every: Every): number | undefined {
  if (isCallOf(node, divOperator)) return 1;
  if (isCallOf(node, logOperator)) return 0;
  return isCallOf(node, powOperator) && every(node.inputs[1]!, (x) => x < 0) ? 0 : undefined;
}

/** Whether a 0 in one input makes the output 0 (or all of its parts but one). */
function carriesZero(node: Node, input: number, every: Every): boolean {
  const { operator, inputs, attributes } = node;
  if (operator.rearranges) return true;
  if (!operator.broadcasts) return false;
  if (isCallOf(node, addOperator) || isCallOf(node, subOperator)) {
    return every(inputs[1 - input]!, (x) => Math.abs(x) <= guard);
  }
  const nothing = inputs.map((_, i) => (i === input ? ("zero" as const) : undefined));
  return operator.simplify?.(nothing, attributes) === "zero";
}
