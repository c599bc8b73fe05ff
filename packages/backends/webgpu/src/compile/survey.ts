import {
  type Attributes,
  type CallOf,
  dropoutOperator,
  type Graph,
  isCallOf,
  isLive,
  liveValues,
  type Node,
  type ValueId,
} from "@espalier/core";

/** A node some output or update depends on; its inputs are what evaluation-time dropout leaves them to be. */
export interface LiveNode<A extends Attributes = Attributes> {
  readonly node: CallOf<A>;
  readonly inputs: readonly ValueId[];
}

/** What is known about a graph at any batch size. */
export interface Survey {
  readonly graph: Graph;
  readonly nodes: readonly LiveNode[];
  /** The value another one is, where a node does nothing. */
  source(value: ValueId): ValueId;
  readers(value: ValueId): readonly LiveNode[];
  /** Whether a value is an output or becomes a tensor: it must be in memory when the run ends. */
  leaves(value: ValueId): boolean;
  /** Whether a value depends only on tensors that no run of this graph changes. */
  isFixed(value: ValueId): boolean;
}

export function survey(graph: Graph): Survey {
  const live = liveValues(graph);
  const alias = new Map<ValueId, ValueId>();
  const source = (value: ValueId) => alias.get(value) ?? value;
  const changed = new Set(graph.updates.map(({ tensor }) => tensor));
  const fixed = new Set(graph.tensors.flatMap(({ name, value }) => (changed.has(name) ? [] : [value])));
  const nodes: LiveNode[] = [];
  const readers = new Map<ValueId, LiveNode[]>();
  for (const node of graph.nodes) {
    if (!isLive(node, live)) continue;
    const inputs = node.inputs.map(source);
    if (isCallOf(node, dropoutOperator)) {
      alias.set(node.outputs[0]!, inputs[0]!);
      continue;
    }
    const one = { node, inputs };
    nodes.push(one);
    for (const input of new Set(inputs)) {
      const known = readers.get(input);
      if (known === undefined) readers.set(input, [one]);
      else known.push(one);
    }
    if (!inputs.every((input) => fixed.has(input))) continue;
    for (const output of node.outputs) fixed.add(output);
  }
  const leaving = new Set([...graph.outputs, ...graph.updates].map(({ value }) => source(value)));
  return {
    graph,
    nodes,
    source,
    readers: (value) => readers.get(value) ?? [],
    leaves: (value) => leaving.has(value),
    isFixed: (value) => fixed.has(value),
  };
}

/** How messages call a node. */
export function labelOf({ name, operator }: Node): string {
  return `node ${name} (${operator.name})`;
}
