import { countElements } from "../graph/extent.ts";
import {
  dataValues,
  type Graph,
  isLive,
  liveValues,
  type Node,
  producers,
  type ValueId,
} from "../graph/graph.ts";
import { reshapeOperator, transposeOperator } from "../operators/layout.ts";
import { matMulOperator } from "../operators/matmul.ts";
import { isCallOf } from "../operators/operator.ts";
import { sliceOperator } from "../operators/slice.ts";

/** A matrix product that multiplies a tensor in any layout: a linear layer's weight, a convolution's. */
export interface TensorProduct {
  readonly node: Node;
  readonly tensor: string;
  /** Contracted axes of the tensor, in the order of the product; axes of extent 1 are left out. */
  readonly inputs: readonly number[];
  /** Axes of the tensor that appear in the result, in its order. */
  readonly outputs: readonly number[];
  /** The other factor, and its contracted axis. */
  readonly other: ValueId;
  readonly otherAxis: number;
  /** Whether the other factor depends on the model's inputs. */
  readonly byData: boolean;
}

/** The live products of tensors that are laid out by transposing, reshaping and slicing only, in graph order. */
export function tensorProducts(graph: Graph): TensorProduct[] {
  const live = liveValues(graph);
  const data = dataValues(graph);
  const producer = producers(graph);
  const names = new Map(graph.tensors.map(({ name, value }) => [value, name]));
  const shapeOf = (value: ValueId) => graph.values[value]!.shape;
  return graph.nodes.flatMap((node): TensorProduct[] => {
    if (!isCallOf(node, matMulOperator) || !isLive(node, live)) return [];
    return [0, 1].flatMap((side) => {
      const [value, other] = [node.inputs[side]!, node.inputs[1 - side]!];
      if (data[value]) return [];
      const [rank, otherRank] = [shapeOf(value).length, shapeOf(other).length];
      const [contracted, result] = side === 0 ? [rank - 1, rank - 2] : [rank - 2, rank - 1];
      const inputs = trace(value, contracted, producer, shapeOf);
      const outputs = trace(value, result, producer, shapeOf);
      const tensor = inputs && names.get(inputs.value);
      if (inputs === undefined || outputs === undefined || tensor === undefined) return [];
      const otherAxis = side === 0 ? otherRank - 2 : otherRank - 1;
      const byData = data[other] === 1;
      return [{ node, tensor, inputs: inputs.axes, outputs: outputs.axes, other, otherAxis, byData }];
    });
  });
}

/** The tensor's axes that make up one axis of a value, outermost first; undefined if it is cut, or more than laid out. */
function trace(
  from: ValueId,
  axis: number,
  producer: readonly (Node | undefined)[],
  shapeOf: (value: ValueId) => Graph["values"][number]["shape"],
): { readonly value: ValueId; readonly axes: readonly number[] } | undefined {
  let value = from;
  let axes: readonly number[] = [axis];
  for (let node = producer[value]; node !== undefined; node = producer[value]) {
    const [input] = node.inputs as [ValueId];
    if (isCallOf(node, transposeOperator)) {
      const { perm } = node.attributes;
      axes = axes.map((one) => perm[one]!);
    } else if (isCallOf(node, reshapeOperator)) {
      const parts = axes.map((one) =>
        axesBehind(shapeOf(input) as readonly number[], shapeOf(value) as readonly number[], one),
      );
      if (parts.includes(undefined)) return undefined;
      axes = parts.flatMap((part) => part!);
    } else if (isCallOf(node, sliceOperator)) {
      if (axes.includes(node.attributes.axis)) return undefined;
    } else return undefined;
    value = input;
  }
  return { value, axes: axes.filter((one) => shapeOf(value)[one] !== 1) };
}

/** The axes that a reshape has joined into one; undefined if it mixes in others. */
function axesBehind(
  before: readonly number[],
  after: readonly number[],
  axis: number,
): readonly number[] | undefined {
  const inner = countElements(after.slice(axis + 1));
  const outer = inner * after[axis]!;
  const behind = before.flatMap((extent, i) => {
    const step = countElements(before.slice(i + 1));
    return extent > 1 && step >= inner && step * extent <= outer ? [i] : [];
  });
  return countElements(behind.map((i) => before[i]!)) === after[axis] ? behind : undefined;
}
