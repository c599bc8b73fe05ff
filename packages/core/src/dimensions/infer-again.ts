import type { Graph } from "../graph/graph.ts";
import type { Dimension, Dimensions } from "./dimensions.ts";
import { type Expression, isProduct, isSum, sameExpression } from "./expression.ts";
import { inferDimensions } from "./infer.ts";

/**
 * Infers the dimensions of a graph that has lost nodes, starting from those carried over: whatever fixed one, or kept
 * two parts of one together, may be gone. Names, original indices and what was free are preserved.
 */
export function inferAgain(graph: Graph, carried: Dimensions): Dimensions {
  const sizes = carried.list.map(({ size }) => size);
  const inferred = inferDimensions(graph, { sizes, axes: new Map(carried.axes.entries()) });
  const now = links(carried, inferred);
  if (now === undefined) return carried;
  const before = new Map<Expression, number>([...now].map(([number, e]) => [e, number]));
  const list = inferred.list.map((found, number): Dimension => {
    const known = carried.list[before.get(number) ?? -1];
    if (known === undefined) return found;
    const { fixed, within, ...rest } = known;
    if (fixed !== undefined) return { ...found, name: known.name };
    const around = within === undefined ? undefined : now.get(within);
    return { ...rest, members: found.members, ...(typeof around === "number" && { within: around }) };
  });
  return new Set(list.map(({ name }) => name)).size === list.length ? { ...inferred, list } : carried;
}

/** The new dimension for each old one; undefined unless all axes agree, and no two dimensions become the same. */
function links(from: Dimensions, to: Dimensions): ReadonlyMap<number, Expression> | undefined {
  const found = new Map<number, Expression>();
  const link = (a: Expression, b: Expression): boolean => {
    if (typeof a === "number") {
      const known = found.get(a);
      found.set(a, b);
      return known === undefined || sameExpression(known, b);
    }
    if (typeof b === "number" || isProduct(a) !== isProduct(b)) return false;
    const parts = (e: typeof a) => (isSum(e) ? e.sum : e.product);
    return parts(a).length === parts(b).length && parts(a).every((part, i) => link(part, parts(b)[i]!));
  };
  const agree = from.axes.every((list, value) => list.every((e, axis) => link(e, to.axes[value]![axis]!)));
  const single = [...found.values()].filter((e) => typeof e === "number");
  return agree && new Set(single).size === single.length ? found : undefined;
}
