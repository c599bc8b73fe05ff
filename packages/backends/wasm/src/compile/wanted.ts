import type { Operation } from "@espalier/core/compile/inference";
import {
  attributesOf,
  type Graph,
  sameShape,
  transposeOperator,
  type ValueId,
} from "@espalier/core/inference";
import { axes, featureMajor, type Layout, rowMajor } from "./view.ts";

/**
 * Finds the layout that each value's readers want, walking backwards: a value stored that way is not copied later.
 * A wish, not a duty: whoever needs a layout makes a copy where it did not come true.
 */
export function wantedLayouts(
  graph: Graph,
  operations: readonly Operation[],
  batchSize: number,
): ReadonlyMap<ValueId, Layout> {
  const wanted = new Map<ValueId, Layout>();
  const shapeOf = (value: ValueId) => graph.values[value]!.shape;
  const sizes = (value: ValueId) =>
    shapeOf(value).map((extent) => (typeof extent === "number" ? extent : extent.batch * batchSize));
  const want = (value: ValueId, layout: Layout | undefined) => {
    if (layout !== undefined && !wanted.has(value)) wanted.set(value, layout);
  };
  for (const { value } of graph.outputs) want(value, rowMajor(shapeOf(value).length));
  const matrix = (value: ValueId) => want(value, featureMajor(shapeOf(value).length));
  for (const operation of operations.toReversed()) {
    if (operation.kind === "linear") {
      matrix(operation.x);
      if (operation.residual !== undefined) matrix(operation.residual);
      continue;
    }
    if (operation.kind === "attention") continue;
    const { node, inputs } = operation;
    const [y] = node.outputs as [ValueId];
    const layout = wanted.get(y);
    switch (node.operator.name) {
      case "LayerNormalization":
        matrix(inputs[0]!);
        break;
      case "LayerNormalizationGradient":
        matrix(inputs[0]!);
        matrix(inputs[2]!);
        break;
      case "BatchNormalizationTraining":
        want(inputs[0]!, channelMajor(shapeOf(y).length));
        break;
      case "BatchNormalizationGradient":
        want(inputs[0]!, channelMajor(shapeOf(y).length));
        want(inputs[2]!, channelMajor(shapeOf(y).length));
        break;
      case "Softmax":
      case "SoftmaxGradient": {
        const lanes = layout ?? lanesBeside(node.attributes.axis as number, shapeOf(y).length);
        want(y, lanes);
        for (const input of inputs) want(input, lanes);
        break;
      }
      case "Transpose": {
        const { perm } = attributesOf(node, transposeOperator);
        if (layout !== undefined)
          want(inputs[0]!, { order: layout.order.map((axis) => perm[axis]!), run: layout.run });
        break;
      }
      case "Reshape":
        if (layout !== undefined) want(inputs[0]!, throughReshape(layout, sizes(y), sizes(inputs[0]!)));
        break;
      case "Concat":
        for (const input of inputs) want(input, layout);
        break;
      case "MatMul":
      case "Gather":
      case "GatherGradient":
      case "ReduceSum":
      case "Adam":
      case "RandomUniform":
        break;
      default:
        for (const input of inputs) if (sameShape(shapeOf(input), shapeOf(y))) want(input, layout);
    }
  }
  return wanted;
}

/** Axis 1 outermost: a channel's values lie together. */
export function channelMajor(rank: number): Layout {
  return { order: [1, 0, ...axes(rank).slice(2)], run: rank - 1 };
}

/** Rows along a neighbour of the softmax's axis, so that it runs over lanes. */
function lanesBeside(axis: number, rank: number): Layout | undefined {
  if (rank < 3 || (axis !== -1 && axis !== rank - 1)) return undefined;
  return { order: [...axes(rank - 2), rank - 1, rank - 2], run: 1 };
}

/** The order of axes before a reshape that gives an order after it; undefined if axes of both sides interleave. */
export function throughReshape(
  { order, run }: Layout,
  after: readonly number[],
  before: readonly number[],
): Layout | undefined {
  const groups = groupAxes(after, before);
  if (groups === undefined) return undefined;
  const result: number[] = [];
  let newRun = 0;
  let position = 0;
  while (position < order.length) {
    const group = groups.find(({ to }) => to.includes(order[position]!));
    if (group === undefined) return undefined;
    const consecutive = order.slice(position, position + group.to.length);
    if (consecutive.join() !== group.to.join()) return undefined;
    const inRun = position >= order.length - run;
    if (!inRun && position + group.to.length > order.length - run) return undefined;
    result.push(...group.from);
    if (inRun) newRun += group.from.length;
    position += group.to.length;
  }
  return { order: result, run: Math.max(1, newRun) };
}

/** Smallest groups of neighbouring axes that hold equally many elements on both sides. */
function groupAxes(after: readonly number[], before: readonly number[]) {
  const groups: { to: number[]; from: number[] }[] = [];
  let [i, j] = [0, 0];
  while (i < after.length || j < before.length) {
    const group = { to: [] as number[], from: [] as number[] };
    let [left, right] = [1, 1];
    do {
      if (left <= right && i < after.length) {
        left *= after[i]!;
        group.to.push(i++);
      } else if (j < before.length) {
        right *= before[j]!;
        group.from.push(j++);
      } else return undefined;
    } while (left !== right || group.to.length === 0 || (group.from.length === 0 && j < before.length));
    // Axes of extent 1 at the end belong to the group before them.
    if (i === after.length) while (j < before.length) group.from.push(j++);
    if (j === before.length) while (i < after.length) group.to.push(i++);
    groups.push(group);
  }
  return groups;
}
