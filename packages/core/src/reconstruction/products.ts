import { sameShape } from "../graph/extent.ts";
import { dataValues, type Graph, isLive, liveValues, type Node, type ValueId } from "../graph/graph.ts";
import { matrixView } from "../model/matrix.ts";
import { tensorProducts } from "../model/products.ts";
import { addOperator } from "../operators/elementwise.ts";
import { isCallOf } from "../operators/operator.ts";
import { dropoutOperator } from "../operators/random.ts";

/** A product of data with a matrix W [inputs, outputs] whose elements are those of one trainable tensor. */
export interface Product {
  readonly tensor: string;
  /** The data, and its contracted axis. */
  readonly data: ValueId;
  readonly dataAxis: number;
  /**
   * The result, and its axis of outputs: the product itself with the bias, and with the residual if nothing else reads
   * the value before it is added.
   */
  readonly result: ValueId;
  readonly resultAxis: number;
  /** The residual included in the result. */
  readonly residual?: ValueId;
  readonly inputs: number;
  readonly outputs: number;
  /** For each element of W, row-major, the element of the tensor. */
  readonly elements: Int32Array;
  /** Name of the tensor [outputs] that is added. */
  readonly bias?: string;
}

/**
 * The live products of a graph's data with whole trainable tensors, in the order of computation. Tensors that are cut
 * (convolutions wider than 1), or that differ along a batch axis, are left out.
 */
export function productsOf(graph: Graph): Product[] {
  const live = liveValues(graph);
  const data = dataValues(graph);
  const readers = readersOf(graph, live);
  const trainable = new Map(
    graph.tensors.flatMap(({ name, role, value }) => (role === "trainable" ? [[value, name] as const] : [])),
  );
  const reading = { graph, readers, trainable };
  const shapes = new Map(
    [...trainable].map(([value, name]) => [name, graph.values[value]!.shape as readonly number[]]),
  );
  return tensorProducts(graph).flatMap((product): Product[] => {
    const { node, tensor, other, otherAxis, byData } = product;
    const shape = shapes.get(tensor);
    if (!byData || shape === undefined) return [];
    const { matrices, rows: outputs, columns: inputs } = matrixView(shape, product);
    const result = node.outputs[0]!;
    const rank = graph.values[other]!.shape.length;
    if (matrices.length > 1 || graph.values[result]!.shape.length !== rank) return [];
    const bias = otherAxis === rank - 1 ? biasOf(reading, result, outputs.length) : undefined;
    const summed = residualOf(reading, bias?.sum ?? result, data);
    return [
      {
        tensor,
        data: other,
        dataAxis: otherAxis,
        result: summed?.sum ?? bias?.sum ?? result,
        resultAxis: otherAxis,
        ...(summed === undefined ? {} : { residual: summed.residual }),
        inputs: inputs.length,
        outputs: outputs.length,
        elements: Int32Array.from(
          { length: inputs.length * outputs.length },
          (_, i) => inputs[Math.floor(i / outputs.length)]! + outputs[i % outputs.length]!,
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

interface Reading {
  readonly graph: Graph;
  readonly readers: ReadonlyMap<ValueId, readonly Node[]>;
  readonly trainable: ReadonlyMap<ValueId, string>;
}

/** The sum that is the only reader of a value, and the other term. */
function sumOf(
  { graph, readers }: Reading,
  value: ValueId,
): { readonly sum: ValueId; readonly added: ValueId } | undefined {
  const [node, ...others] = readers.get(value) ?? [];
  if (!isCallOf(node, addOperator) || others.length > 0) return undefined;
  if (node.inputs[0] === node.inputs[1] || graph.outputs.some((output) => output.value === value))
    return undefined;
  return { sum: node.outputs[0]!, added: node.inputs[node.inputs[0] === value ? 1 : 0]! };
}

function biasOf(reading: Reading, product: ValueId, outputs: number) {
  const { graph, readers, trainable } = reading;
  const found = sumOf(reading, product);
  const tensor = found && trainable.get(found.added);
  if (found === undefined || tensor === undefined) return undefined;
  const { shape } = graph.values[found.added]!;
  const fits = shape.length === 1 && shape[0] === outputs && readers.get(found.added)!.length === 1;
  return fits ? { tensor, sum: found.sum } : undefined;
}

function residualOf(reading: Reading, result: ValueId, data: Uint8Array) {
  const { graph, readers } = reading;
  const [dropped, ...others] = readers.get(result) ?? [];
  // Dropout does nothing in evaluation.
  const through = isCallOf(dropped, dropoutOperator) && others.length === 0;
  const value = through ? dropped.outputs[0]! : result;
  const found = sumOf(reading, value);
  if (found === undefined || !data[found.added]) return undefined;
  const same = sameShape(graph.values[found.added]!.shape, graph.values[value]!.shape);
  return same ? { sum: found.sum, residual: found.added } : undefined;
}
