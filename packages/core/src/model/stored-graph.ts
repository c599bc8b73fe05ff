import { EspalierError, ShapeError, unknownName } from "../errors.ts";
import { type Extent, sameShape } from "../graph/extent.ts";
import type { Attributes, Graph, NamedValue, Node, TensorSpec, Update, ValueType } from "../graph/graph.ts";
import { inferTypes, type Operator } from "../operators/operator.ts";

/** A graph as plain JSON, with operators by name. */
export interface StoredGraph {
  readonly values: readonly ValueType[];
  readonly inputs: readonly NamedValue[];
  readonly tensors: readonly TensorSpec[];
  readonly nodes: readonly StoredNode[];
  readonly outputs: readonly NamedValue[];
  readonly updates: readonly Update[];
}

/** A node that names its operator. */
export interface StoredNode extends Omit<Node, "operator"> {
  readonly operator: string;
}

/** Converts a graph to the form written to files; `loadGraph` reads it back. */
export function storedGraph(graph: Graph): StoredGraph {
  return { ...graph, nodes: graph.nodes.map((node) => ({ ...node, operator: node.operator.name })) };
}

/**
 * Reads a stored graph back, its operators from those that are known: `operators` has all of core. Everything is checked (ids, order, types as the operators infer them), so a graph from an
 * untrusted file is either sound or refused with an EspalierError.
 */
export function loadGraph(stored: StoredGraph, known: ReadonlyMap<string, Operator>): Graph {
  const defined = new Uint8Array(stored.values.length);
  const define = (id: number, what: string) => {
    if (!Number.isInteger(id) || id < 0 || id >= defined.length || defined[id]) {
      throw new EspalierError(`the stored graph is damaged: ${what} defines value ${id}, which it cannot.`);
    }
    defined[id] = 1;
  };
  const use = (id: number, what: string) => {
    if (!defined[id])
      throw new EspalierError(`the stored graph is damaged: ${what} reads value ${id} before it exists.`);
  };
  for (const value of stored.values) checkType(value);
  for (const { name, value } of stored.inputs) define(value, `input "${name}"`);
  for (const { name, value } of stored.tensors) define(value, `tensor "${name}"`);
  unique(stored.inputs, "input");
  unique(stored.tensors, "tensor");
  unique(stored.nodes, "node");
  unique(stored.outputs, "output");
  const nodes = stored.nodes.map((node): Node => {
    const operator = known.get(node.operator);
    if (operator === undefined)
      throw unknownName(`node ${node.name}: operator`, node.operator, [...known.keys()]);
    for (const id of node.inputs) use(id, `node ${node.name}`);
    const inputs = node.inputs.map((id) => stored.values[id]!);
    const types = inferOrRefuse(operator, node, inputs);
    for (const id of node.outputs) define(id, `node ${node.name}`);
    const fits =
      types.length === node.outputs.length &&
      types.every((type, i) => {
        const { dtype, shape } = stored.values[node.outputs[i]!]!;
        return dtype === type.dtype && sameShape(shape, type.shape);
      });
    if (!fits)
      throw new EspalierError(`the stored graph is damaged: node ${node.name} has outputs of other shapes.`);
    return { ...node, operator };
  });
  for (const { name, value } of stored.outputs) use(value, `output "${name}"`);
  for (const { tensor, value } of stored.updates) {
    use(value, `the update of "${tensor}"`);
    if (!stored.tensors.some(({ name }) => name === tensor))
      throw new EspalierError(`the stored graph is damaged: it updates "${tensor}", which it does not have.`);
  }
  return { ...stored, nodes };
}

function inferOrRefuse(
  operator: Operator,
  node: StoredNode,
  inputs: readonly ValueType[],
): readonly ValueType[] {
  try {
    return inferTypes(operator, inputs, node.attributes as Attributes);
  } catch (error) {
    // The file decides the attributes: an operator may find types that it does not expect.
    if (!(error instanceof ShapeError || error instanceof TypeError)) throw error;
    throw new EspalierError(
      `the stored graph is damaged: node ${node.name} (${operator.name}) does not fit its ${inputs.length} inputs.`,
      { cause: error },
    );
  }
}

function checkType({ dtype, shape }: ValueType): void {
  const sound = (extent: Extent) => {
    const factor = typeof extent === "number" ? extent : extent?.batch;
    return Number.isSafeInteger(factor) && factor >= 0;
  };
  if ((dtype !== "float32" && dtype !== "int32") || !Array.isArray(shape) || !shape.every(sound)) {
    throw new EspalierError("the stored graph is damaged: a value has no valid type.");
  }
}

function unique(list: readonly { readonly name: string }[], what: string): void {
  if (new Set(list.map(({ name }) => name)).size !== list.length) {
    throw new EspalierError(`the stored graph is damaged: two of its ${what}s have the same name.`);
  }
}
