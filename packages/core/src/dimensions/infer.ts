import type { Extent } from "../graph/extent.ts";
import type { Graph, ValueId } from "../graph/graph.ts";
import type { AxisUse, Operand } from "./coupling.ts";
import type { Dimension, DimensionKind, Dimensions, Member } from "./dimensions.ts";
import { dimensionsIn, type Expression, isProduct, isSum } from "./expression.ts";
import { Solver } from "./solver.ts";
import { sumsOfMore } from "./sums.ts";

/**
 * Known facts about the axes of a graph: expressions over dimensions of these sizes. A model that was pruned
 * to a single head still has that dimension, though its shapes no longer show it.
 */
export interface KnownAxes {
  readonly sizes: readonly Extent[];
  readonly axes: ReadonlyMap<ValueId, readonly Expression[]>;
}

/**
 * Finds the dimensions of a graph: gives each tensor and input axis one of its own, walks the nodes, and unifies what
 * their operators couple. Known axes must have the extents of the graph; they are used as far as the nodes agree. This
 * is DepGraph's grouping (Fang et al., CVPR 2023) obtained as type inference.
 */
export function inferDimensions(graph: Graph, known?: KnownAxes): Dimensions {
  const solver = new Solver();
  const declared = known?.sizes.map((size) => solver.dimension(size));
  const numbers = new Map(declared?.entries());
  const fresh = (value: number): Expression[] =>
    known?.axes.get(value)?.map((e) => renumber(e, numbers)) ?? solver.fresh(graph.values[value]!.shape);
  const axes: Expression[][] = new Array(graph.values.length);
  const activation = activations(graph);
  for (const { value } of graph.tensors) axes[value] = fresh(value);
  for (const { name, value } of graph.inputs) {
    axes[value] = fresh(value);
    for (const axis of axes[value]) solver.fixed(axis, `reaches the input ${name}`);
  }
  const operand = (value: number): Operand => ({
    shape: graph.values[value]!.shape,
    axes: axes[value]!,
    activation: activation[value] === 1,
  });
  for (const node of graph.nodes) {
    for (const output of node.outputs) axes[output] = fresh(output);
    solver.node = node;
    node.operator.couple(solver, node.inputs.map(operand), node.outputs.map(operand), node.attributes);
  }
  solver.node = undefined;
  for (const { name, value } of graph.outputs) {
    for (const axis of axes[value]!) solver.fixed(axis, `reaches the output ${name}`);
  }
  const solved = axes.map((list) => list.map((axis) => solver.resolve(axis)));
  for (const { dimension, node } of sumsOfMore(graph, solved, solver.contracted())) {
    solver.node = node;
    solver.fixed(dimension, `${node.operator.name} sums over it what its own weights do not make zero`);
  }
  return describe(graph, solved, solver);
}

/** Marks values that are computed, as opposed to weights in any layout. */
function activations(graph: Graph): Uint8Array {
  const result = new Uint8Array(graph.values.length);
  for (const { value } of graph.inputs) result[value] = 1;
  for (const { operator, inputs, outputs } of graph.nodes) {
    if (operator.rearranges && inputs.every((input) => !result[input])) continue;
    for (const output of outputs) result[output] = 1;
  }
  return result;
}

/** Numbers the dimensions in graph order (tensors first) and derives names, members and kinds. */
function describe(graph: Graph, solved: readonly (readonly Expression[])[], solver: Solver): Dimensions {
  const numbers = new Map<number, number>();
  const visit = (list: readonly Expression[]) => {
    for (const variable of list.flatMap(dimensionsIn)) {
      if (!numbers.has(variable)) numbers.set(variable, numbers.size);
    }
  };
  for (const { value } of graph.tensors) visit(solved[value]!);
  for (const list of solved) visit(list);

  const axes = solved.map((list) => list.map((e) => renumber(e, numbers)));
  const uses = solver.uses();
  const members = membersOf(graph, axes, numbers.size);
  const trainable = new Set(graph.tensors.flatMap(({ role, name }) => (role === "trainable" ? [name] : [])));
  const outer = outerFactors(graph, axes);
  const occurrences = occurrencesOf(axes, numbers.size);
  const variables = [...numbers.keys()];
  const used = (number: number, use: AxisUse) => uses.get(variables[number]!)?.has(use) === true;
  const fixed = (number: number) => solver.reason(variables[number]!) !== undefined;
  // An outer factor over positions that stay is a feature of a flattened map; scaling does not make it a head.
  const flattened = (number: number) => !fixed(number) && [...(outer.inner.get(number) ?? [])].every(fixed);
  const isHead = (number: number) =>
    outer.inner.has(number) &&
    (used(number, "batchOfProduct") || (used(number, "batchOfScaling") && !flattened(number)));

  const kindOf = (number: number): DimensionKind => {
    if (isHead(number)) return "head";
    if ([...(outer.all.get(number) ?? [])].some(isHead)) {
      return used(number, "contracted") ? "query-key-channel" : "value-channel";
    }
    return used(number, "embedding") ? "embedding" : "channel";
  };

  const list = variables.map((variable, number): Dimension => {
    const own = members[number]!;
    const inTrainable = own.some((member) => trainable.has(member.tensor));
    const reason = solver.reason(variable) ?? (inTrainable ? undefined : "no trainable tensor has it");
    const around = outer.of.get(number);
    const within =
      around !== undefined && isHead(around) && togetherOnly(occurrences[number]!, number, around)
        ? around
        : undefined;
    return {
      name: nameOf(own.find(({ tensor }) => trainable.has(tensor)) ?? own[0], graph, axes, number),
      size: solver.size(variable),
      kind: kindOf(number),
      members: own,
      ...(reason === undefined ? {} : { fixed: reason }),
      ...(within === undefined ? {} : { within }),
    };
  });
  return { list, axes };
}

function renumber(e: Expression, numbers: ReadonlyMap<number, number>): Expression {
  if (typeof e === "number") return numbers.get(e)!;
  return isProduct(e)
    ? { product: e.product.map((f) => renumber(f, numbers)) }
    : { sum: e.sum.map((t) => renumber(t, numbers)) };
}

/** Occurrences of each dimension in tensors, in graph order. */
export function membersOf(graph: Graph, axes: readonly (readonly Expression[])[], count: number): Member[][] {
  const members: Member[][] = Array.from({ length: count }, () => []);
  for (const { name, value } of graph.tensors) {
    axes[value]!.forEach((expression, axis) => {
      dimensionsIn(expression).forEach((number, place) => {
        members[number]!.push({ tensor: name, axis, place });
      });
    });
  }
  return members;
}

function nameOf(
  first: Member | undefined,
  graph: Graph,
  axes: readonly (readonly Expression[])[],
  number: number,
): string {
  const place = (e: Expression) => {
    const all = dimensionsIn(e);
    return all.length > 1 ? `.${all.indexOf(number)}` : "";
  };
  if (first !== undefined) {
    const { value } = graph.tensors.find((tensor) => tensor.name === first.tensor)!;
    return `${first.tensor}[${first.axis}]${place(axes[value]![first.axis]!)}`;
  }
  const has = (e: Expression) => dimensionsIn(e).includes(number);
  const value = axes.findIndex((list) => list.some(has));
  const input = graph.inputs.find((candidate) => candidate.value === value);
  const node = graph.nodes.find((candidate) => candidate.outputs.includes(value));
  const axis = axes[value]!.findIndex(has);
  return `${input?.name ?? node?.name ?? value}[${axis}]${place(axes[value]![axis]!)}`;
}

/**
 * Splits of dimensions in tensors: `of` gives the dimension that one is always the direct inner factor
 * of, `all` those that it ever is, and `inner` the reverse.
 */
function outerFactors(graph: Graph, axes: readonly (readonly Expression[])[]) {
  const of = new Map<number, number | undefined>();
  const all = new Map<number, Set<number>>();
  const inner = new Map<number, Set<number>>();
  const put = (map: Map<number, Set<number>>, key: number, value: number) =>
    map.set(key, (map.get(key) ?? new Set()).add(value));
  const set = (dimension: number, around: number | undefined) => {
    of.set(dimension, of.has(dimension) && of.get(dimension) !== around ? undefined : around);
    if (around === undefined) return;
    put(all, dimension, around);
    put(inner, around, dimension);
  };
  const visit = (e: Expression, around: number | undefined): void => {
    if (typeof e === "number") set(e, around);
    else if (isSum(e)) for (const term of e.sum) visit(term, undefined);
    else {
      e.product.forEach((factor, i) => {
        const before = e.product[i - 1];
        visit(factor, typeof before === "number" ? before : undefined);
      });
    }
  };
  for (const { value } of graph.tensors) for (const e of axes[value]!) visit(e, undefined);
  return { of, all, inner };
}

/** For each dimension, the values in which it occurs: all the dimensions of each. */
function occurrencesOf(axes: readonly (readonly Expression[])[], count: number): number[][][] {
  const occurrences: number[][][] = Array.from({ length: count }, () => []);
  for (const list of axes) {
    const all = list.flatMap(dimensionsIn);
    for (const number of new Set(all)) occurrences[number]!.push(all);
  }
  return occurrences;
}

/** Whether every value that has `number` has it once, with `around` next to it once. */
function togetherOnly(values: readonly (readonly number[])[], number: number, around: number): boolean {
  const once = (all: readonly number[], d: number) =>
    all.indexOf(d) >= 0 && all.indexOf(d) === all.lastIndexOf(d);
  return values.every((all) => once(all, number) && once(all, around));
}
