import type { Operator } from "../operators/operator.ts";
import type { Extent, Shape } from "./extent.ts";

/** Type of the elements: `float32` numbers, or `int32` indices. */
export type DataType = "float32" | "int32";

/** Element type and shape of a value. */
export interface ValueType {
  readonly dtype: DataType;
  readonly shape: Shape;
}

/** Index of a value in `Graph.values`. */
export type ValueId = number;

/** A setting of an operator; plain JSON, so that graphs can be stored. */
export type Attribute = number | string | boolean | Extent | readonly Attribute[];
/** A node's settings by name. */
export type Attributes = { readonly [name: string]: Attribute | undefined };

/**
 * The role of a tensor.
 * - `trainable`: a parameter; may be masked; counted.
 * - `buffer`: data that is sliced with its axes but never masked nor counted (running statistics, tables, optimiser
 *   state).
 * - `constant`: data that belongs to the graph (sampling indices, scalars) and never changes its values.
 */
export type TensorRole = "trainable" | "buffer" | "constant";

/** A tensor of a graph; its data is stored separately, by name. */
export interface TensorSpec {
  readonly name: string;
  readonly role: TensorRole;
  readonly value: ValueId;
  /** Other names under which a checkpoint may hold the same tensor. */
  readonly aliases?: readonly string[];
}

/** One call of an operator. */
export interface Node {
  /** Unique in its graph and stable under pruning; errors and random streams refer to it. */
  readonly name: string;
  readonly operator: Operator;
  readonly inputs: readonly ValueId[];
  readonly outputs: readonly ValueId[];
  readonly attributes: Attributes;
}

/** A name for a value: a graph input or output. */
export interface NamedValue {
  readonly name: string;
  readonly value: ValueId;
}

/** After a run, tensor `tensor` takes the value `value`. */
export interface Update {
  readonly tensor: string;
  readonly value: ValueId;
}

/** A computation as plain read-only data, nodes in topological order. Weights are stored separately, by tensor name. */
export interface Graph {
  readonly values: readonly ValueType[];
  readonly inputs: readonly NamedValue[];
  readonly tensors: readonly TensorSpec[];
  readonly nodes: readonly Node[];
  readonly outputs: readonly NamedValue[];
  readonly updates: readonly Update[];
}

/** The node that computes each value; undefined for inputs and tensors. */
export function producers(graph: Graph): (Node | undefined)[] {
  const result: (Node | undefined)[] = new Array(graph.values.length).fill(undefined);
  for (const node of graph.nodes) for (const output of node.outputs) result[output] = node;
  return result;
}

/** Marks values that some output or update, or one of `also`, depends on. */
export function liveValues(graph: Graph, also: readonly ValueId[] = []): Uint8Array {
  const live = new Uint8Array(graph.values.length);
  for (const value of also) live[value] = 1;
  for (const { value } of graph.outputs) live[value] = 1;
  for (const { value } of graph.updates) live[value] = 1;
  for (let i = graph.nodes.length - 1; i >= 0; i--) {
    const node = graph.nodes[i]!;
    if (node.outputs.some((output) => live[output])) for (const input of node.inputs) live[input] = 1;
  }
  return live;
}

/** Marks values that depend on a graph input; the others depend only on tensors. */
export function dataValues(graph: Graph): Uint8Array {
  const data = new Uint8Array(graph.values.length);
  for (const { value } of graph.inputs) data[value] = 1;
  for (const node of graph.nodes) {
    if (node.inputs.some((input) => data[input])) for (const output of node.outputs) data[output] = 1;
  }
  return data;
}

/** Whether some output of a node is marked as live. */
export function isLive(node: Node, live: Uint8Array): boolean {
  return node.outputs.some((output) => live[output]);
}
