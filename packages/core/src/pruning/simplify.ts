import type { Dimension, Dimensions } from "../dimensions/dimensions.ts";
import {
  dimensionsIn,
  type Expression,
  extentOf,
  isProduct,
  productOf,
  sumOf,
} from "../dimensions/expression.ts";
import { membersOf } from "../dimensions/infer.ts";
import { inferAgain } from "../dimensions/infer-again.ts";
import { EspalierError } from "../errors.ts";
import { sameShape } from "../graph/extent.ts";
import {
  dataValues,
  type Graph,
  isLive,
  liveValues,
  type Node,
  type ValueId,
  type ValueType,
} from "../graph/graph.ts";
import { float32, type TensorData } from "../graph/tensor.ts";
import type { Model } from "../model/model.ts";
import { expandOperator } from "../operators/broadcast.ts";
import type { Nothing } from "../operators/operator.ts";

/**
 * Rewrites a graph in which dimensions were emptied: a product over nothing is zero, adding zero is dropped, biases
 * stay, and nodes that no output depends on any more are removed. Throws if that would cut the only path from the
 * inputs to an output.
 */
export function simplify(model: Model, before: Model): Model {
  if (!model.dimensions.list.some(({ size }) => size === 0)) return model;
  const rewriting = new Rewriting(model);
  for (const node of model.graph.nodes) rewriting.visit(node);
  const rewritten = rewriting.finish();
  refuseCut(rewritten, before);
  const ends = rewriting.stillThere(unread(before.graph));
  const smaller = keepOnly(rewritten, stillNeeded(rewritten.graph, before.graph, ends));
  return { ...smaller, dimensions: inferAgain(smaller.graph, smaller.dimensions) };
}

/**
 * Values to keep: live ones, and those that were already dead and still lead to the same ends, since dead parts are
 * counted separately until they are removed. Values that were live and no longer lead to an output are removed,
 * together with dead parts that read them.
 */
function stillNeeded(graph: Graph, before: Graph, ends: readonly ValueId[]): Uint8Array {
  const wasLive = liveValues(before);
  const live = liveValues(graph);
  const possible = live.slice();
  for (const { value } of graph.inputs) possible[value] = 1;
  for (const { value } of graph.tensors) if (!wasLive[value]) possible[value] = 1;
  for (const { inputs, outputs } of graph.nodes) {
    if (outputs.some((id) => wasLive[id]) || inputs.some((id) => !possible[id])) continue;
    for (const id of outputs) possible[id] = 1;
  }
  const leads = liveValues(
    graph,
    ends.filter((id) => possible[id]),
  );
  const inputs = new Set(graph.inputs.map(({ value }) => value));
  return live.map((is, id) => (is || inputs.has(id) || (possible[id] && leads[id] && !wasLive[id]) ? 1 : 0));
}

/** Values that nothing reads: the ends of dead branches. */
function unread({ tensors, nodes, outputs, updates }: Graph): ValueId[] {
  const read = new Set(
    [...nodes.flatMap(({ inputs }) => inputs), ...outputs.map(({ value }) => value)].concat(
      updates.map(({ value }) => value),
    ),
  );
  const values = [...tensors.map(({ value }) => value), ...nodes.flatMap((node) => node.outputs)];
  return values.filter((value) => !read.has(value));
}

/** The model without tensors and nodes that no output depends on. Its outputs are the same. */
export function removeDead(model: Model): Model {
  return keepOnly(model, liveValues(model.graph));
}

/** Tracks which values are zero throughout, or empty, while a graph is rewritten node by node. */
class Rewriting {
  readonly #model: Model;
  readonly #values: ValueType[];
  readonly #axes: (readonly Expression[])[];
  readonly #tensors: Graph["tensors"][number][];
  readonly #data: Map<string, TensorData>;
  readonly #nodes: Node[] = [];
  readonly #zero = new Set<ValueId>();
  readonly #alias = new Map<ValueId, ValueId>();
  #scalarZero: ValueId | undefined;

  constructor(model: Model) {
    this.#model = model;
    this.#values = [...model.graph.values];
    this.#axes = [...model.dimensions.axes];
    this.#tensors = [...model.graph.tensors];
    this.#data = new Map(model.tensors);
  }

  visit(node: Node): void {
    if (node.outputs.some((id) => this.#empty(id))) return;
    const inputs = node.inputs.map((id) => this.#alias.get(id) ?? id);
    const nothing = inputs.map(
      (id): Nothing => (this.#empty(id) ? "empty" : this.#zero.has(id) ? "zero" : undefined),
    );
    const simpler = nothing.some((one) => one !== undefined)
      ? node.operator.simplify?.(nothing, node.attributes)
      : undefined;
    if (simpler === "zero") for (const output of node.outputs) this.#zero.add(output);
    else if (typeof simpler === "number") this.#become(node, inputs[simpler]!);
    else if (simpler?.length === 1) this.#become(node, inputs[simpler[0]!]!);
    else this.#keep(node, simpler?.map((i) => inputs[i]!) ?? inputs);
  }

  #keep(node: Node, inputs: readonly ValueId[]): void {
    if (inputs.some((id) => this.#empty(id))) {
      throw new EspalierError(
        `node ${node.name}: operator ${node.operator.name} does not define its result for an emptied dimension. Keep one index of it.`,
      );
    }
    this.#nodes.push({ ...node, inputs: inputs.map((id) => this.#materialize(id, node)) });
  }

  finish(): Model {
    const { graph } = this.#model;
    const last = { name: "output" };
    const resolve = (id: ValueId) => this.#materialize(this.#alias.get(id) ?? id, last);
    const outputs = graph.outputs.map(({ name, value }) => ({ name, value: resolve(value) }));
    return {
      ...this.#model,
      graph: { ...graph, values: this.#values, tensors: this.#tensors, nodes: this.#nodes, outputs },
      tensors: this.#data,
      dimensions: { list: this.#model.dimensions.list, axes: this.#axes },
    };
  }

  /** Those of some values that are neither zero nor empty, under their current ids. */
  stillThere(values: readonly ValueId[]): ValueId[] {
    return values
      .map((id) => this.#alias.get(id) ?? id)
      .filter((id) => !this.#zero.has(id) && !this.#empty(id));
  }

  #empty(id: ValueId): boolean {
    return this.#values[id]!.shape.includes(0);
  }

  /** Replaces the node's output by one of its inputs, repeated to its shape if necessary. */
  #become(node: Node, input: ValueId): void {
    const output = node.outputs[0]!;
    const { shape } = this.#values[output]!;
    if (this.#zero.has(input)) this.#zero.add(output);
    else if (sameShape(this.#values[input]!.shape, shape)) this.#alias.set(output, input);
    else this.#nodes.push(this.#expand(node.name, input, output));
  }

  /** Turns a value that is known to be zero into numbers, for a node that needs them. */
  #materialize(id: ValueId, reader: { readonly name: string }): ValueId {
    if (!this.#zero.has(id)) return id;
    this.#zero.delete(id);
    if (this.#scalarZero === undefined) {
      const name = "constant:0";
      this.#scalarZero = this.#tensors.find((tensor) => tensor.name === name)?.value ?? this.#values.length;
      if (this.#scalarZero === this.#values.length) {
        this.#values.push({ dtype: "float32", shape: [] });
        this.#axes.push([]);
        this.#tensors.push({ name, role: "constant", value: this.#scalarZero });
        this.#data.set(name, float32([], [0]));
      }
    }
    this.#nodes.push(this.#expand(`${reader.name}/zero_${id}`, this.#scalarZero, id));
    return id;
  }

  #expand(name: string, input: ValueId, output: ValueId): Node {
    const { shape } = this.#values[output]!;
    const operator = expandOperator;
    return { name, operator, inputs: [input], outputs: [output], attributes: { shape } };
  }
}

/** Thrown if a plan empties a dimension that every path from the inputs to an output passes. */
export class CutError extends EspalierError {}

function refuseCut(after: Model, before: Model): void {
  const was = dataValues(before.graph);
  const is = dataValues(after.graph);
  after.graph.outputs.forEach(({ name, value }, i) => {
    if (was[before.graph.outputs[i]!.value] && !is[value]) {
      throw new CutError(
        `the plan empties a dimension that the only path from the inputs to "${name}" passes. Keep at least one index of it.`,
      );
    }
  });
}

/** The model with only the marked tensors and nodes; values and dimensions are renumbered. */
function keepOnly(model: Model, live: Uint8Array): Model {
  const { graph } = model;
  const tensors = graph.tensors.filter(({ value }) => live[value] === 1);
  const nodes = graph.nodes.filter((node) => isLive(node, live));
  const ids = new Map<ValueId, ValueId>();
  const number = (id: ValueId): number => {
    const known = ids.get(id) ?? ids.size;
    ids.set(id, known);
    return known;
  };
  const old: ValueId[] = [
    ...graph.inputs.map(({ value }) => value),
    ...tensors.map(({ value }) => value),
    ...nodes.flatMap((node) => node.outputs),
  ];
  for (const id of old) number(id);
  const names = new Set(tensors.map(({ name }) => name));
  const smaller: Graph = {
    values: old.map((id) => graph.values[id]!),
    inputs: graph.inputs.map((input) => ({ ...input, value: number(input.value) })),
    tensors: tensors.map((tensor) => ({ ...tensor, value: number(tensor.value) })),
    nodes: nodes.map((node) => ({
      ...node,
      inputs: node.inputs.map(number),
      outputs: node.outputs.map(number),
    })),
    outputs: graph.outputs.map((output) => ({ ...output, value: number(output.value) })),
    updates: graph.updates.map((update) => ({ ...update, value: number(update.value) })),
  };
  const only = <T>(map: ReadonlyMap<string, T>) => new Map([...map].filter(([name]) => names.has(name)));
  return {
    ...model,
    graph: smaller,
    tensors: only(model.tensors),
    masks: only(model.masks),
    dimensions: renumbered(model.dimensions, smaller, old),
  };
}

/** A sum without its empty terms. */
function withoutEmptied(e: Expression, dimensions: Dimensions): Expression {
  if (typeof e === "number") return e;
  if (isProduct(e)) return productOf(e.product.map((factor) => withoutEmptied(factor, dimensions)));
  const left = e.sum.filter((term) => extentOf(term, (d) => dimensions.list[d]!.size) !== 0);
  return sumOf(left.map((term) => withoutEmptied(term, dimensions)));
}

/** Dimensions that still occur somewhere, with their remaining members; names do not change. */
function renumbered(dimensions: Dimensions, graph: Graph, old: readonly ValueId[]): Dimensions {
  const kept = old.map((id) => dimensions.axes[id]!.map((e) => withoutEmptied(e, dimensions)));
  const numbers = new Map<number, number>();
  for (const list of kept)
    for (const d of list.flatMap(dimensionsIn)) if (!numbers.has(d)) numbers.set(d, -1);
  const order = [...numbers.keys()].sort((a, b) => a - b);
  order.forEach((d, i) => {
    numbers.set(d, i);
  });
  const rename = (e: Expression): Expression => {
    if (typeof e === "number") return numbers.get(e)!;
    return isProduct(e) ? { product: e.product.map(rename) } : { sum: e.sum.map(rename) };
  };
  const axes = kept.map((list) => list.map(rename));
  const members = membersOf(graph, axes, order.length);
  const list = order.map((d, i): Dimension => {
    const { within, ...rest } = dimensions.list[d]!;
    const around = within === undefined ? undefined : numbers.get(within);
    return { ...rest, members: members[i]!, ...(around === undefined ? {} : { within: around }) };
  });
  return { list, axes };
}
