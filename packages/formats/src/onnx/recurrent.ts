import { EspalierError } from "@espalier/core";
import {
  addOperator,
  attributesOf,
  type Extent,
  type Graph,
  gruOperator,
  isCallOf,
  lstmOperator,
  matMulOperator,
  type Node,
  type RecurrenceAttributes,
  reshapeOperator,
  sliceOperator,
  transposeOperator,
  type ValueId,
} from "@espalier/core/graph";
import { type NodeCall, reshaped } from "./node-call.ts";
import { int, text } from "./proto.ts";

/**
 * ONNX's LSTM and GRU include the product with the input; core draws it separately. They are written together as one
 * node, without the nodes of the product.
 */

const isRecurrence = (node: Node) => isCallOf(node, lstmOperator) || isCallOf(node, gruOperator);

/** The product with the input and the biases, if the gates of a cell consist of nothing else. */
interface InputProduct {
  readonly x: ValueId;
  /** [gates · width, features]. */
  readonly weight: ValueId;
  readonly biases: readonly ValueId[];
  readonly nodes: readonly Node[];
}

function inputProduct(node: Node, graph: Graph): InputProduct | undefined {
  const producers = producersOf(graph);
  const nodes: Node[] = [];
  const producedBy = (value: ValueId): Node | undefined => {
    const producer = producers.get(value);
    if (producer !== undefined) nodes.push(producer);
    return producer;
  };
  const shaped = producedBy(node.inputs[0]!);
  if (shaped === undefined || !isCallOf(shaped, reshapeOperator)) return undefined;
  const biases: ValueId[] = [];
  let sum = producedBy(shaped.inputs[0]!);
  while (sum !== undefined && isCallOf(sum, addOperator)) {
    const [left, right] = sum.inputs as [ValueId, ValueId];
    if (graph.values[right]!.shape.length !== 1) return undefined;
    biases.unshift(right);
    sum = producedBy(left);
  }
  if (sum === undefined || !isCallOf(sum, matMulOperator)) return undefined;
  const [x, factor] = sum.inputs as [ValueId, ValueId];
  const turned = producers.get(factor);
  if (turned === undefined || !isCallOf(turned, transposeOperator)) return undefined;
  const maxStates = isCallOf(node, lstmOperator) ? 2 : 1;
  if (biases.length > maxStates || graph.values[x]!.shape.length !== 3) return undefined;
  return { x, weight: turned.inputs[0]!, biases, nodes: [...nodes, turned] };
}

/** Slices that only read the last of all cells c of an LSTM: ONNX provides no others. */
function lastCells(node: Node, graph: Graph): readonly Node[] {
  const [, cells] = node.outputs;
  if (cells === undefined) return [];
  const readers = graph.nodes.filter(({ inputs }) => inputs.includes(cells));
  const { reverse } = attributesOf(node, lstmOperator);
  const steps = graph.values[cells]!.shape[0] as number;
  const end = reverse ? 1 : steps;
  const sound = readers.every((reader) => {
    if (!isCallOf(reader, sliceOperator)) return false;
    const at = attributesOf(reader, sliceOperator);
    return at.axis === 0 && at.start === end - 1 && at.end === end;
  });
  if (!sound || graph.outputs.some(({ value }) => value === cells)) {
    throw new EspalierError(
      `node ${node.name}: ONNX returns the cell of an LSTM after its last step only. Remove the others from the model's outputs.`,
    );
  }
  return readers;
}

/** Nodes that are not written because an LSTM or GRU replaces them. */
export function absorbedNodes(graph: Graph): ReadonlySet<Node> {
  const recurrences = graph.nodes.filter(isRecurrence);
  if (recurrences.length === 0) return new Set();
  const ends = new Set(recurrences.flatMap((node) => lastCells(node, graph)));
  const candidates = new Set(recurrences.flatMap((node) => inputProduct(node, graph)?.nodes ?? []));
  const outputs = new Set(graph.outputs.map(({ value }) => value));
  const takes = new Set<Node>(recurrences.filter((node) => inputProduct(node, graph) !== undefined));
  const absorbed = new Set<Node>();
  for (const node of graph.nodes.toReversed()) {
    if (!candidates.has(node) || node.outputs.some((value) => outputs.has(value))) continue;
    const readers = graph.nodes.filter(({ inputs }) => node.outputs.some((value) => inputs.includes(value)));
    const own = (reader: Node) =>
      absorbed.has(reader) || (takes.has(reader) && reader.inputs[0] === node.outputs[0]);
    if (readers.every(own)) absorbed.add(node);
  }
  return new Set([...absorbed, ...ends]);
}

function producersOf(graph: Graph): ReadonlyMap<ValueId, Node> {
  return new Map(graph.nodes.flatMap((node) => node.outputs.map((value): [ValueId, Node] => [value, node])));
}

/** How LSTM and GRU are written. */
export function recurrence(call: NodeCall<RecurrenceAttributes>): void {
  const { writer, name, node, graph, inputs, shapes, outputs, outputShapes, attributes } = call;
  const [steps, sequences, gates, width] = shapes[0] as readonly [number, Extent, number, number];
  const rows = gates * width;
  const isLstm = isCallOf(node, lstmOperator);
  const product = inputProduct(node, graph);
  const shape = (x: string, to: readonly Extent[]) => reshaped(call, x, to);
  const x = product === undefined ? shape(inputs[0]!, [steps, sequences, rows]) : writer.nameOf(product.x);
  const columns = product === undefined ? rows : (graph.values[product.weight]!.shape[1] as number);
  const weight = product === undefined ? identity(call, rows) : writer.nameOf(product.weight);
  const biases = (product?.biases ?? []).map((value) => writer.nameOf(value));
  if (!isLstm) {
    if (biases.length === 0) biases.push(zeros(call, rows));
    biases.push(shape(inputs[2]!, [rows]));
  } else if (biases.length === 1) biases.push(zeros(call, rows));
  const states = (isLstm ? inputs.slice(2) : inputs.slice(3)).map((state) =>
    shape(state, [1, sequences, width]),
  );
  const operands = [
    x,
    shape(weight, [1, rows, columns]),
    shape(inputs[1]!, [1, rows, width]),
    biases.length === 0
      ? ""
      : shape(writer.node(`${name}/Concat`, "Concat", biases, { axis: int(0) }), [1, 2 * rows]),
    "",
    ...states,
  ];
  const [all, last, cell] = ["all", "last", "cell"].map((what) => writer.fresh(`${name}/${what}`));
  const results = isLstm ? [all!, last!, cell!] : [all!, last!];
  writer.nodeWith(
    name,
    node.operator.name,
    operands,
    {
      hidden_size: int(width),
      direction: text(attributes.reverse ? "reverse" : "forward"),
      ...(isLstm ? {} : { linear_before_reset: int(1) }),
    },
    results,
  );
  writer.node(`${name}/Reshape`, "Reshape", [all!, writer.openShape(outputShapes[0]!)], {}, outputs[0]);
  for (const end of isLstm ? lastCells(node, graph) : []) writer.alias(end.outputs[0]!, cell!);
}

function identity({ writer }: NodeCall<RecurrenceAttributes>, size: number): string {
  const data = Float32Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 1 : 0));
  return writer.constant(`identity/${size}`, { dtype: "float32", shape: [size, size], data });
}

function zeros({ writer }: NodeCall<RecurrenceAttributes>, size: number): string {
  return writer.constant(`zeros/${size}`, { dtype: "float32", shape: [size], data: new Float32Array(size) });
}
