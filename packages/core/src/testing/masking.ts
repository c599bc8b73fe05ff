import { type Expression, indicesAt } from "../dimensions/expression.ts";
import { Builder, type Value } from "../graph/builder.ts";
import type { Extent } from "../graph/extent.ts";
import type { Graph } from "../graph/graph.ts";
import { redrawNodes, redrawSources } from "../graph/redraw.ts";
import { float32, type TensorData } from "../graph/tensor.ts";
import { divisors } from "../model/divisors.ts";
import { isKept } from "../model/mask.ts";
import type { Model } from "../model/model.ts";
import { reduceSum } from "../operators/broadcast.ts";
import { add, div, mul, sqrt, sub } from "../operators/elementwise.ts";
import { type EpsilonAttributes, layerNormalizationOperator } from "../operators/layer-normalization.ts";
import { isCallOf } from "../operators/operator.ts";
import { scale } from "../operators/scale.ts";

/** Indices to take out of a dimension: one list, or one for each index of the dimension around it. */
export interface Removal {
  readonly dimension: string;
  readonly indices: readonly number[] | readonly (readonly number[])[];
}

/** A graph with its tensors, ready to run. */
export type Runnable = Pick<Model, "graph" | "tensors">;

/**
 * The model at its full size, with every member of some dimensions zeroed at some indices, and with normalisations that
 * only see the other indices: the expected result of removing them. Indices refer to the given model. Shares no code
 * with `prune`: positions are read digit by digit rather than enumerated.
 */
export function maskMembers(model: Model, removals: readonly Removal[]): Runnable {
  const isRemoved = removedPositions(model, removals);
  const masked = new Map(model.tensors);
  const divide = divisors(model);
  for (const { name, value } of model.graph.tensors) {
    // 0 ÷ 0 is NaN; the dividend is already 0.
    if (divide.has(name)) continue;
    const tensor = model.tensors.get(name)!;
    const gone = model.dimensions.axes[value]!.map((e, axis) =>
      Array.from({ length: tensor.shape[axis]! }, (_, position) => isRemoved(e, position)),
    );
    masked.set(name, zeroAt(tensor, gone));
  }
  const kept = (value: number) =>
    Array.from({ length: model.graph.values[value]!.shape.at(-1) as number }, (_, position) =>
      isRemoved(model.dimensions.axes[value]!.at(-1)!, position) ? 0 : 1,
    );
  const { graph, data } = redraw(model.graph, kept);
  return { graph, tensors: new Map([...masked, ...data]) };
}

/**
 * The elements of every tensor that are left after removing some indices, in order: the expected tensors of a pruned
 * model.
 */
export function sliceMembers(model: Model, removals: readonly Removal[]): ReadonlyMap<string, number[]> {
  return new Map(
    [...keptElements(model, removals)].map(([name, kept]) => {
      const { data } = model.tensors.get(name)!;
      return [name, kept.map((i) => data[i]!)];
    }),
  );
}

/** For every mask, whether it keeps the elements that are left, in order. */
export function sliceMasks(model: Model, removals: readonly Removal[]): ReadonlyMap<string, boolean[]> {
  return new Map(
    [...keptElements(model, removals)].flatMap(([name, kept]) => {
      const mask = model.masks.get(name);
      return mask === undefined ? [] : [[name, kept.map((i) => isKept(mask, i))] as const];
    }),
  );
}

/** For every tensor, the elements that belong to no removed index. */
function keptElements(model: Model, removals: readonly Removal[]): ReadonlyMap<string, number[]> {
  const isRemoved = removedPositions(model, removals);
  return new Map(
    model.graph.tensors.map(({ name, value }) => {
      const { shape, data } = model.tensors.get(name)!;
      const axes = model.dimensions.axes[value]!;
      const kept = Array.from(data.keys()).filter((i) =>
        positionsOf(shape, i).every((position, axis) => !isRemoved(axes[axis]!, position)),
      );
      return [name, kept];
    }),
  );
}

/** Whether a position of an axis is removed. */
function removedPositions(
  { dimensions: { list } }: Model,
  removals: readonly Removal[],
): (e: Expression, position: number) => boolean {
  const byNumber = new Map(
    removals.map(({ dimension, indices }) => {
      const number = list.findIndex(({ name, fixed }) => name === dimension && fixed === undefined);
      if (number < 0) throw new Error(`there is no prunable dimension "${dimension}"`);
      return [number, indices] as const;
    }),
  );
  const size = (d: number): Extent => list[d]!.size;
  return (e, position) => {
    const digits = indicesAt(e, position, size);
    return digits.some(([dimension, index]) => {
      const indices = byNumber.get(dimension);
      if (indices === undefined) return false;
      if (typeof indices[0] !== "object") return (indices as readonly number[]).includes(index);
      const [, row] = digits.find(([other]) => other === list[dimension]!.within)!;
      return (indices as readonly (readonly number[])[])[row]!.includes(index);
    });
  };
}

function positionsOf(shape: readonly number[], index: number): number[] {
  let rest = index;
  return shape
    .toReversed()
    .map((extent) => {
      const position = rest % extent;
      rest = (rest - position) / extent;
      return position;
    })
    .reverse();
}

function zeroAt(tensor: TensorData, gone: readonly (readonly boolean[])[]): TensorData {
  const data = tensor.data.map((value, i) =>
    positionsOf(tensor.shape, i).some((position, axis) => gone[axis]![position]) ? 0 : value,
  );
  return { ...tensor, data: data as TensorData["data"] };
}

/** The same graph, with normalisations that take their statistics from some positions of the last axis only. */
function redraw(graph: Graph, kept: (value: number) => readonly number[]) {
  const b = Builder.create();
  const values = redrawSources(b, graph);
  redrawNodes(b, graph, values, {
    draw(node, inputs) {
      if (!isCallOf(node, layerNormalizationOperator)) return undefined;
      const which = kept(node.inputs[0]!);
      return which.includes(0) ? [normalizeKept(b, inputs, which, node.name, node.attributes)] : undefined;
    },
  });
  for (const { name, value } of graph.outputs) b.output(name, values[value]!);
  return b.build();
}

function normalizeKept(
  b: Builder,
  [x, gamma, beta]: readonly Value[],
  which: readonly number[],
  name: string,
  { epsilon }: EpsilonAttributes,
): Value {
  const count = Math.max(
    1,
    which.reduce((n, one) => n + one, 0),
  );
  const keep = b.constant(float32([which.length], which), `${name}/kept`);
  const mean = scale(b, reduceSum(b, mul(b, x!, keep), [-1], true), 1 / count);
  const centred = mul(b, sub(b, x!, mean), keep);
  const variance = scale(b, reduceSum(b, mul(b, centred, centred), [-1], true), 1 / count);
  const deviation = sqrt(b, add(b, variance, b.constant(float32([], [epsilon]), `${name}/epsilon`)));
  return add(b, mul(b, div(b, centred, deviation), gamma!), beta!);
}
