import {
  type Attributes,
  type Graph,
  isBatch,
  isLive,
  liveValues,
  type Shape,
  type ValueId,
} from "@espalier/core/inference";

/**
 * Whether a run on a batch is the runs on its parts, one after the other: nothing mixes elements of a batch, and inputs
 * and outputs are one block for each element. Parts may then be as small as caches like them.
 */
export function splitsByBatch(graph: Graph): boolean {
  if (graph.updates.length > 0) return false;
  const shapeOf = (value: ValueId) => graph.values[value]!.shape;
  const leads = (shape: Shape) => shape.length > 0 && isBatch(shape[0]!);
  if (!graph.outputs.every(({ value }) => leads(shapeOf(value)))) return false;
  if (!graph.inputs.every(({ value }) => leads(shapeOf(value)) || !shapeOf(value).some(isBatch)))
    return false;
  const live = liveValues(graph);
  return graph.nodes.every((node) => {
    if (!isLive(node, live)) return true;
    const inputs = node.inputs.map(shapeOf);
    return keepsApart(node.operator.name, node.attributes, inputs, shapeOf(node.outputs[0]!));
  });
}

function keepsApart(name: string, attributes: Attributes, inputs: readonly Shape[], output: Shape): boolean {
  const [x] = inputs as [Shape];
  const isBatchAxis = (axis: number) => isBatch(x.at(axis)!);
  switch (name) {
    case "Add":
    case "Sub":
    case "Mul":
    case "Div":
    case "Sqrt":
    case "Relu":
    case "Gelu":
    case "Exp":
    case "Elu":
    case "Sigmoid":
    case "Tanh":
    case "Dropout":
    case "Transpose":
    case "Expand":
      return true;
    case "Scale":
      return typeof attributes.per === "number";
    case "Softmax":
    case "AveragePool":
    case "CumSum":
    case "DFT":
    case "MaxPool":
    case "Slice":
    case "Pad":
    case "Concat":
    case "Gather":
      return !isBatchAxis(attributes.axis as number);
    case "ReduceSum":
      return !(attributes.axes as readonly number[]).some(isBatchAxis);
    case "LayerNormalization":
    case "MatMul":
      return !isBatchAxis(-1);
    case "BatchNormalization":
      return !isBatchAxis(1);
    case "Reshape":
      return batchStaysOutside(x, output);
    default:
      return false;
  }
}

/** The batch is the outer factor of its axis before and after: what stands in front of it is the same on both sides. */
function batchStaysOutside(before: Shape, after: Shape): boolean {
  const inFront = (shape: Shape) => {
    const at = shape.findIndex(isBatch);
    return at < 0 ? -1 : shape.slice(0, at).reduce<number>((n, extent) => n * (extent as number), 1);
  };
  return inFront(before) === inFront(after);
}
