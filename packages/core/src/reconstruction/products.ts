import { type Graph, isLive, liveValues, type Node, type ValueId } from "../graph/graph.ts";
import { matrixView } from "../model/matrix.ts";
import { tensorProducts } from "../model/products.ts";
import { addOperator } from "../operators/elementwise.ts";

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
  const trainable = new Map(
    graph.tensors.flatMap(({ name, role, value }) => (role === "trainable" ? [[name, value] as const] : [])),
  );
  const names = new Map([...trainable].map(([name, value]) => [value, name]));
  const readers = readersOf(graph, live);
  return tensorProducts(graph).flatMap((found): Product[] => {
    const { node, tensor, other, otherAxis, byData } = found;
    const value = trainable.get(tensor);
    if (value === undefined || !byData) return [];
    const { matrices, rows, columns } = matrixView(graph.values[value]!.shape as readonly number[], found);
    if (matrices.length > 1) return [];
    const product = node.outputs[0]!;
    const right = node.inputs[0] === other;
    const bias = right ? biasOf(graph, product, rows.length, readers, names) : undefined;
    return [
      {
        node: node.name,
        tensor,
        data: other,
        dataAxis: otherAxis,
        result: bias?.sum ?? product,
        inputs: columns.length,
        outputs: rows.length,
        elements: Int32Array.from(
          { length: columns.length * rows.length },
          (_, i) => columns[Math.floor(i / rows.length)]! + rows[i % rows.length]!,
        ),
        ...(bias === undefined ? {} : { bias: bias.tensor }),
      },
    ];
  });
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
