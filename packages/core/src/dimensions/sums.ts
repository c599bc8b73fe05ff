import type { Graph, Node, ValueId } from "../graph/graph.ts";
import { isCallOf, type Nothing } from "../operators/operator.ts";
import { concatOperator } from "../operators/slice.ts";
import { dimensionsIn, type Expression } from "./expression.ts";

/**
 * Removing an index is equivalent to masking its weights only if every sum over the dimension finds zero there; a sum
 * of sigmoids, or of rows that share a bias, does not. Returns each dimension for which a node violates this.
 * `contracted` holds the axes that nodes sum over without a weight of their own that would be masked too.
 */
export function sumsOfMore(
  graph: Graph,
  axes: readonly (readonly Expression[])[],
  contracted: readonly { readonly axis: Expression; readonly node: Node }[],
): { readonly dimension: number; readonly node: Node }[] {
  const summed = contracted.flatMap(({ axis, node }) =>
    dimensionsIn(axis).map((dimension) => ({ dimension, node })),
  );
  const candidates = new Set(summed.map(({ dimension }) => dimension));
  const has = axes.map(
    (list) => new Set(list.flatMap(dimensionsIn).filter((dimension) => candidates.has(dimension))),
  );
  const zero = vanishing(graph, has);
  return summed.filter(({ dimension, node }) => !node.inputs.some((value) => zero[value]!.has(dimension)));
}

/** For each value, the dimensions at whose indices it is zero once all tensors are. `has` gives all dimensions of a value. */
function vanishing(graph: Graph, has: readonly ReadonlySet<number>[]): ReadonlySet<number>[] {
  const zero: ReadonlySet<number>[] = has.map(() => new Set());
  for (const { value } of graph.tensors) zero[value] = has[value]!;
  for (const node of graph.nodes) {
    const some = new Set(node.inputs.flatMap((value) => [...zero[value]!]));
    for (const output of node.outputs) {
      zero[output] = new Set(
        [...some].filter((dimension) => has[output]!.has(dimension) && isZero(node, dimension, zero, has)),
      );
    }
  }
  return zero;
}

function isZero(
  node: Node,
  dimension: number,
  zero: readonly ReadonlySet<number>[],
  has: readonly ReadonlySet<number>[],
): boolean {
  const nothing = (value: ValueId): Nothing => (zero[value]!.has(dimension) ? "zero" : undefined);
  // Parts without the dimension lie beside it.
  const { operator, inputs, attributes } = node;
  if (isCallOf(node, concatOperator)) {
    return inputs.every((value) => !has[value]!.has(dimension) || zero[value]!.has(dimension));
  }
  const result = operator.simplify?.(inputs.map(nothing), attributes);
  return result === "zero" || (typeof result === "number" && nothing(inputs[result]!) === "zero");
}
