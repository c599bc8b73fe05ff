import { Builder, type Value } from "../graph/builder.ts";
import { elementsOf, sameExtent } from "../graph/extent.ts";
import { type Graph, liveValues } from "../graph/graph.ts";
import { redrawNodes } from "../graph/redraw.ts";
import type { Model } from "../model/model.ts";
import { expand } from "../operators/broadcast.ts";
import { reshape, swapAxes } from "../operators/layout.ts";
import { matMul } from "../operators/matmul.ts";
import { concat } from "../operators/slice.ts";
import type { Collect } from "../pruning/strategy.ts";
import type { Square } from "./linear-algebra.ts";
import type { Product } from "./products.ts";

/** The same product before and after pruning. */
export interface Pair {
  readonly dense: Product;
  readonly pruned: Product;
}

/**
 * Sums over calibration data of products of inputs, each with a 1 behind its last (what a bias is multiplied with): x of
 * the pruned product, d of the dense one.
 */
export interface Moments {
  /** Σ xᵀx. */
  readonly own: Square;
  /** Σ xᵀd, [x's inputs + 1, d's inputs + 1]. */
  readonly cross: Float64Array;
  /** Σ dᵀd. */
  readonly dense: Square;
}

/**
 * Runs the dense and the pruned model side by side and sums the second moments of what goes into a pair's products.
 * Undefined where the two have not the same positions.
 */
export async function inputMoments(
  models: { readonly dense: Model; readonly pruned: Model },
  pair: Pair,
  collect: Collect,
): Promise<Moments | undefined> {
  const { dense, pruned } = models;
  const b = Builder.create({ ...dense.graph, outputs: [], updates: [] });
  const d = rows(b, b.value(pair.dense.data), pair.dense.dataAxis);
  const after = redraw(b, pruned.graph, pair.pruned.data);
  const x = rows(b, after, pair.pruned.dataAxis);
  if (!sameExtent(d.shape[0]!, x.shape[0]!)) return undefined;
  const outputs = { own: [x, x], cross: [x, d], dense: [d, d] } as const;
  for (const [name, [left, right]] of Object.entries(outputs)) {
    b.output(`${prefix}${name}`, matMul(b, swapAxes(b, left, 0, 1), right));
  }
  const { graph, data } = b.build();
  const tensors = new Map([
    ...dense.tensors,
    ...[...pruned.tensors].map(([name, tensor]) => [prefix + name, tensor] as const),
    ...data,
  ]);
  const sums = await collect({ graph, tensors, outputs: Object.keys(outputs).map((name) => prefix + name) });
  const sum = (name: string) => Float64Array.from(sums.get(prefix + name)!.data);
  return {
    own: { size: pair.pruned.inputs + 1, data: sum("own") },
    cross: sum("cross"),
    dense: { size: pair.dense.inputs + 1, data: sum("dense") },
  };
}

/** What keeps the pruned model's tensors and the sums apart from the dense model's names. */
const prefix = "reconstruction:";

/** A value as a matrix [positions, features + 1], the axis named last, with ones behind it. */
function rows(b: Builder, value: Value, axis: number): Value {
  const last = swapAxes(b, value, axis, -1);
  const positions = elementsOf(last.shape.slice(0, -1));
  const flat = reshape(b, last, [positions, last.shape.at(-1)!]);
  const one = reshape(b, b.constant(1), [1, 1]);
  return concat(b, [flat, expand(b, one, [positions, 1])], 1);
}

/** Draws as much of a graph as a value of it needs, over the same inputs and tensors of its own; gives that value. */
function redraw(b: Builder, graph: Graph, wanted: number): Value {
  const live = liveValues({ ...graph, outputs: [], updates: [] }, [wanted]);
  const values: Value[] = new Array(graph.values.length);
  const given = new Map(b.build().graph.inputs.map(({ name, value }) => [name, value]));
  for (const { name, value } of graph.inputs) values[value] = b.value(given.get(name)!);
  for (const { name, role, value } of graph.tensors) {
    if (live[value]) values[value] = b.tensor(prefix + name, role, graph.values[value]!);
  }
  redrawNodes(b, graph, values, { live, prefix });
  return values[wanted]!;
}
