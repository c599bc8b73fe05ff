import { type Graph, isLive, liveValues, type Node, type ValueId } from "../graph/graph.ts";
import { isCallOf } from "../operators/operator.ts";
import { randomUniformOperator } from "../operators/random.ts";
import type { LiveNode } from "./live-node.ts";
import { type Rule, rewritingRules } from "./rewriting.ts";

/** Facts about a graph that a backend needs to compile it, valid for any batch size. */
export interface Survey {
  readonly graph: Graph;
  /** Nodes in topological order. */
  readonly nodes: readonly LiveNode[];
  /** The value that stands for another after a rule has removed the node between them. */
  source(value: ValueId): ValueId;
  /** The node that computes a value; undefined for inputs and tensors. */
  producer(value: ValueId): LiveNode | undefined;
  /** The nodes that read a value, each once. */
  readers(value: ValueId): readonly LiveNode[];
  /** The only node that reads a value, if nothing else needs it. */
  onlyReader(value: ValueId): LiveNode | undefined;
  /** Whether a value is an output or becomes a tensor, and so must be in memory when the run ends. */
  leaves(value: ValueId): boolean;
  /**
   * Whether a value depends only on tensors that no run of this graph changes, so that it is recomputed only after one
   * of them was written. Random numbers never are: drawing them is cheaper than keeping them.
   */
  isFixed(value: ValueId): boolean;
  /** The name of the tensor that a value stands for. */
  tensor(value: ValueId): string | undefined;
  /** Whether a run of this graph changes a tensor. */
  changes(tensor: string): boolean;
  /** The only tensor that a value replaces when the run ends, if nothing else needs the value. */
  replaces(value: ValueId): string | undefined;
}

/** Finds the live nodes of a graph, applies rules, and records the readers, producer and lifetime of the remaining values. */
export function survey(graph: Graph, rules: readonly Rule[] = rewritingRules): Survey {
  const tensors = new Map(graph.tensors.map(({ name, value }) => [value, name]));
  const changed = new Set(graph.updates.map(({ tensor }) => tensor));
  const { nodes, source } = rewritten(graph, rules);
  const producers = new Map<ValueId, LiveNode>();
  const readers = new Map<ValueId, LiveNode[]>();
  const fixed = new Set([...tensors].flatMap(([value, name]) => (changed.has(name) ? [] : [value])));
  for (const live of nodes) {
    const { node, inputs } = live;
    for (const input of new Set(inputs)) {
      const known = readers.get(input);
      if (known === undefined) readers.set(input, [live]);
      else known.push(live);
    }
    const isFixed = !isCallOf(node, randomUniformOperator) && inputs.every((input) => fixed.has(input));
    for (const output of node.outputs) {
      producers.set(output, live);
      if (isFixed) fixed.add(output);
    }
  }
  const shown = new Set(graph.outputs.map(({ value }) => source(value)));
  const becoming = new Map<ValueId, string[]>();
  for (const { tensor, value } of graph.updates)
    becoming.set(source(value), [...(becoming.get(source(value)) ?? []), tensor]);
  const readersOf = (value: ValueId) => readers.get(value) ?? [];
  const leaves = (value: ValueId) => shown.has(value) || becoming.has(value);
  return {
    graph,
    nodes,
    source,
    producer: (value) => producers.get(value),
    readers: readersOf,
    onlyReader: (value) => (leaves(value) || readersOf(value).length !== 1 ? undefined : readersOf(value)[0]),
    leaves,
    isFixed: (value) => fixed.has(value),
    tensor: (value) => tensors.get(value),
    changes: (tensor) => changed.has(tensor),
    replaces(value) {
      const [tensor, ...more] = becoming.get(value) ?? [];
      return more.length > 0 || shown.has(value) || readersOf(value).length > 0 ? undefined : tensor;
    },
  };
}

/** The live nodes after rewriting. */
function rewritten(graph: Graph, rules: readonly Rule[]) {
  const live = liveValues(graph);
  const known = rules.map((rule) => rule.begin());
  const alias = new Map<ValueId, ValueId>();
  const source = (value: ValueId) => alias.get(value) ?? value;
  const nodes: LiveNode[] = [];
  for (const node of graph.nodes) {
    if (!isLive(node, live)) continue;
    const one = { node, inputs: node.inputs.map(source) };
    const values = firstOf(known, (apply) => apply(one));
    if (values === undefined) nodes.push(one);
    else for (const [i, output] of node.outputs.entries()) alias.set(output, values[i]!);
  }
  return { nodes: needed(graph, nodes, source), source };
}

/** A rule may have removed the only reader of a node. */
function needed(graph: Graph, nodes: readonly LiveNode[], source: (value: ValueId) => ValueId): LiveNode[] {
  const read = new Set([...graph.outputs, ...graph.updates].map(({ value }) => source(value)));
  const kept: LiveNode[] = [];
  for (const live of nodes.toReversed()) {
    if (!live.node.outputs.some((output) => read.has(output))) continue;
    kept.push(live);
    for (const input of live.inputs) read.add(input);
  }
  return kept.reverse();
}

function firstOf<T, R>(list: readonly T[], find: (item: T) => R | undefined): R | undefined {
  for (const item of list) {
    const found = find(item);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A node's name in messages. */
export function labelOf({ name, operator }: Node): string {
  return `node ${name} (${operator.name})`;
}
