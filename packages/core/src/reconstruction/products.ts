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
import { addOperator } from "../operators/elementwise.ts";
import { matMulOperator } from "../operators/matmul.ts";

/** One product of data with a matrix W [inputs, outputs] whose elements are those of one trainable tensor. */
export interface Product {
  /** Name of the node. */
  readonly node: string;
  readonly tensor: string;
  /** What is multiplied, and its axis that is contracted. */
  readonly data: ValueId;
  readonly dataAxis: number;
  /** The product, and, where a bias is all that is done with it, the sum. */
  readonly result: ValueId;
  readonly inputs: number;
  readonly outputs: number;
  /** The tensor's element that each element of W is, row-major. */
  readonly elements: Int32Array;
  /** Name of the tensor [outputs] that is added. */
  readonly bias?: string;
}

/**
 * The live products of a graph with trainable matrices, in the order they are computed. A matrix may be a tensor that was
 * transposed or reshaped; one that is made of several, or differs along a batch axis, is left out.
 */
export function productsOf(graph: Graph): Product[] {
  const live = liveValues(graph);
  const data = dataValues(graph);
  const producer = producers(graph);
  const trainable = new Map(
    graph.tensors.flatMap(({ name, role, value }) => (role === "trainable" ? [[value, name] as const] : [])),
  );
  const readers = readersOf(graph, live);
  return graph.nodes.flatMap((node): Product[] => {
    if (node.operator.name !== matMulOperator.name || !isLive(node, live)) return [];
    const side = data[node.inputs[0]!] ? 1 : 0;
    const [weight, other] = [node.inputs[side]!, node.inputs[1 - side]!];
    if (data[weight] || !data[other]) return [];
    const { shape } = graph.values[weight]!;
    const source = shape.length === 2 ? sourceOf(graph, weight, producer, trainable) : undefined;
    if (source === undefined) return [];
    const [rows, columns] = shape as [number, number];
    const rank = graph.values[other]!.shape.length;
    const product = node.outputs[0]!;
    const bias = side === 1 ? biasOf(graph, product, columns, readers, trainable) : undefined;
    return [
      {
        node: node.name,
        tensor: source.tensor,
        data: other,
        dataAxis: side === 1 ? rank - 1 : rank - 2,
        result: bias?.sum ?? product,
        inputs: side === 1 ? rows : columns,
        outputs: side === 1 ? columns : rows,
        elements: side === 1 ? source.elements : transposed(source.elements, rows, columns),
        ...(bias === undefined ? {} : { bias: bias.tensor }),
      },
    ];
  });
}

/** The tensor that a matrix is, and which of its elements each of the matrix is. */
function sourceOf(
  graph: Graph,
  value: ValueId,
  producer: readonly (Node | undefined)[],
  trainable: ReadonlyMap<ValueId, string>,
): { readonly tensor: string; readonly elements: Int32Array } | undefined {
  const chain: Node[] = [];
  let at = value;
  for (let node = producer[at]; node !== undefined; node = producer[at]) {
    if (node.operator.rearranges !== "all" || node.inputs.length !== 1) return undefined;
    chain.unshift(node);
    at = node.inputs[0]!;
  }
  const tensor = trainable.get(at);
  if (tensor === undefined) return undefined;
  const shapeOf = (id: ValueId) => graph.values[id]!.shape as readonly number[];
  const size = countElements(shapeOf(at));
  // An element that stands in several places would have to get several values.
  if (countElements(shapeOf(value)) !== size) return undefined;
  let array = { shape: shapeOf(at), data: Float64Array.from({ length: size }, (_, i) => i) };
  for (const { operator, attributes, outputs } of chain) {
    const [moved] = operator.evaluate([array], attributes, [shapeOf(outputs[0]!)], 1);
    array = { shape: moved!.shape, data: Float64Array.from(moved!.data) };
  }
  return { tensor, elements: Int32Array.from(array.data) };
}

function transposed(elements: Int32Array, rows: number, columns: number): Int32Array {
  return Int32Array.from(elements, (_, i) => elements[(i % rows) * columns + Math.floor(i / rows)]!);
}

function readersOf(graph: Graph, live: Uint8Array): ReadonlyMap<ValueId, readonly Node[]> {
  const readers = new Map<ValueId, Node[]>();
  for (const node of graph.nodes) {
    if (!isLive(node, live)) continue;
    for (const id of node.inputs) readers.set(id, [...(readers.get(id) ?? []), node]);
  }
  return readers;
}

/** A bias that is added to a product, where nothing else reads either of them. */
function biasOf(
  graph: Graph,
  product: ValueId,
  outputs: number,
  readers: ReadonlyMap<ValueId, readonly Node[]>,
  trainable: ReadonlyMap<ValueId, string>,
): { readonly tensor: string; readonly sum: ValueId } | undefined {
  const [node, ...others] = readers.get(product) ?? [];
  if (node?.operator.name !== addOperator.name || others.length > 0) return undefined;
  if (graph.outputs.some(({ value }) => value === product)) return undefined;
  const added = node.inputs[node.inputs[0] === product ? 1 : 0]!;
  const tensor = trainable.get(added);
  const { shape } = graph.values[added]!;
  const fits = shape.length === 1 && shape[0] === outputs && readers.get(added)!.length === 1;
  return tensor === undefined || !fits ? undefined : { tensor, sum: node.outputs[0]! };
}
