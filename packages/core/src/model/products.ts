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

/** A matrix product that multiplies a tensor, whatever its layout there: a linear layer's weight, a convolution's. */
export interface TensorProduct {
  readonly node: Node;
  readonly tensor: string;
  /** Axes of the tensor that are contracted, in the order in which the product runs through them; those of extent 1 left out. */
  readonly inputs: readonly number[];
  /** Axes of the tensor that the result has, in its order. */
  readonly outputs: readonly number[];
  /** What is multiplied with it, and the axis of that which is contracted. */
  readonly other: ValueId;
  readonly otherAxis: number;
  /** Whether that depends on the model's inputs. */
  readonly byData: boolean;
}

/** The live products of tensors that are laid out by transposing, reshaping and slicing alone, in graph order. */
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

/** The tensor's axes behind one axis of a value, outermost first; undefined where it is cut, or more than laid out. */
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

/** The axes that a reshape has made one axis of; undefined where it mixes others in. */
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
