import { Builder, type Value } from "../graph/builder.ts";
import { type Extent, elementsOf, sameExtent } from "../graph/extent.ts";
import { type Graph, liveValues, type ValueId } from "../graph/graph.ts";
import { redrawNodes } from "../graph/redraw.ts";
import { float32 } from "../graph/tensor.ts";
import type { Model } from "../model/model.ts";
import { expand, reduceSum } from "../operators/broadcast.ts";
import { mul, sub } from "../operators/elementwise.ts";
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
  /** For each output of the pruned product, the corresponding output of the dense one. */
  readonly outputs: Int32Array;
}

/**
 * Sums over calibration data. x is the input of the pruned product, followed by a 1 (the factor of a bias); y is the
 * output it needs so that, with the residual, it equals the dense product's.
 */
export interface Moments {
  /** Σ xᵀx. */
  readonly inputs: Square;
  /** Σ xᵀy, [inputs + 1, outputs]. */
  readonly cross: Float64Array;
  /** Σ y². */
  readonly target: number;
  /** Σ of the squared dense results, residual included. */
  readonly norm: number;
}

/**
 * Runs the dense and the pruned model side by side and returns the moments of pairs with common inputs, by pair. Empty
 * if the two models have different positions.
 */
export async function momentsOf(
  models: { readonly dense: Model; readonly pruned: Model },
  pairs: readonly Pair[],
  collect: Collect,
): Promise<ReadonlyMap<Pair, Moments>> {
  const { dense, pruned } = models;
  const b = Builder.create({ ...dense.graph, outputs: [], updates: [] });
  const first = pairs[0]!.pruned;
  const wanted = [first.data, ...pairs.flatMap((pair) => pair.pruned.residual ?? [])];
  const after = redraw(b, pruned.graph, wanted);
  const plain = rows(b, after.get(first.data)!, first.dataAxis);
  const positions = plain.shape[0]!;
  const x = withOnes(b, plain, positions);
  const xt = swapAxes(b, x, 0, 1);
  b.output(`${prefix}inputs`, matMul(b, xt, x));
  const drawn = pairs.filter((pair, i) => {
    const whole = selected(b, rows(b, b.value(pair.dense.result), pair.dense.resultAxis), pair);
    if (!sameExtent(whole.shape[0]!, positions)) return false;
    const residual = residualOf(b, pair, after);
    const y = residual === undefined ? whole : sub(b, whole, residual);
    b.output(`${prefix}cross ${i}`, matMul(b, xt, y));
    b.output(`${prefix}target ${i}`, reduceSum(b, mul(b, y, y), [0]));
    b.output(`${prefix}norm ${i}`, reduceSum(b, mul(b, whole, whole), [0]));
    return true;
  });
  const { graph, data } = b.build();
  const tensors = new Map([
    ...dense.tensors,
    ...[...pruned.tensors].map(([name, tensor]) => [prefix + name, tensor] as const),
    ...data,
  ]);
  const sums = await collect({ graph, tensors, outputs: graph.outputs.map(({ name }) => name) });
  const numbers = (name: string) => Float64Array.from(sums.get(prefix + name)!.data);
  const total = (name: string) => numbers(name).reduce((sum, value) => sum + value, 0);
  const inputs: Square = { size: first.inputs + 1, data: numbers("inputs") };
  return new Map(
    drawn.map((pair): [Pair, Moments] => {
      const i = pairs.indexOf(pair);
      const [cross, target, norm] = [numbers(`cross ${i}`), total(`target ${i}`), total(`norm ${i}`)];
      return [pair, { inputs, cross, target, norm }];
    }),
  );
}

/** Separates the pruned model's tensors and the sums from the dense model's names. */
const prefix = "reconstruction:";

/** A value as a matrix [positions, features], with features along the given axis. */
function rows(b: Builder, value: Value, axis: number): Value {
  const last = swapAxes(b, value, axis, -1);
  return reshape(b, last, [elementsOf(last.shape.slice(0, -1)), last.shape.at(-1)!]);
}

function withOnes(b: Builder, x: Value, positions: Extent): Value {
  return concat(b, [x, expand(b, reshape(b, b.constant(1), [1, 1]), [positions, 1])], 1);
}

/** The columns of a dense result that the pruned one has. */
function selected(b: Builder, whole: Value, { dense, pruned, outputs }: Pair): Value {
  if (outputs.length === dense.outputs && outputs.every((column, o) => column === o)) return whole;
  const choice = new Float32Array(dense.outputs * outputs.length);
  outputs.forEach((column, o) => {
    choice[column * outputs.length + o] = 1;
  });
  const shape = [dense.outputs, outputs.length];
  return matMul(b, whole, b.constant(float32(shape, choice), `${prefix}selection ${pruned.tensor}`));
}

/** The residual that is added to the pruned product; only if the dense result includes its residual too. */
function residualOf(
  b: Builder,
  { dense, pruned }: Pair,
  after: ReadonlyMap<ValueId, Value>,
): Value | undefined {
  if (dense.residual === undefined || pruned.residual === undefined) return undefined;
  return rows(b, after.get(pruned.residual)!, pruned.resultAxis);
}

/** Draws the part of a graph that some of its values need, with separate tensors and the same inputs. */
function redraw(b: Builder, graph: Graph, wanted: readonly ValueId[]): ReadonlyMap<ValueId, Value> {
  const live = liveValues({ ...graph, outputs: [], updates: [] }, wanted);
  const values: Value[] = new Array(graph.values.length);
  const given = new Map(b.build().graph.inputs.map(({ name, value }) => [name, value]));
  for (const { name, value } of graph.inputs) values[value] = b.value(given.get(name)!);
  for (const { name, role, value } of graph.tensors) {
    if (live[value]) values[value] = b.tensor(prefix + name, role, graph.values[value]!);
  }
  redrawNodes(b, graph, values, { live, prefix });
  return new Map(wanted.map((id) => [id, values[id]!]));
}
