import { type Dimensions, type PrunableDimension, prunableDimensions } from "../dimensions/dimensions.ts";
import { dimensionsIn, type Expression, extentOf } from "../dimensions/expression.ts";
import { countElements } from "../graph/extent.ts";
import { dataValues, type Graph, isLive, liveValues, type Node, type ValueId } from "../graph/graph.ts";
import { dftOperator } from "../operators/dft.ts";
import { addOperator } from "../operators/elementwise.ts";
import { matMulOperator } from "../operators/matmul.ts";
import { isCallOf } from "../operators/operator.ts";

/** The function of a module: `attention` relates positions to each other; `feed-forward` works on each position by itself. */
export type ModuleKind = "attention" | "feed-forward";

/** A branch of a residual path: the attention or the feed-forward part of a layer. */
export interface ResidualModule {
  /** Common scope of its products: `encoder.attn_layers.0.attention`; without one, the name of the sum's node. */
  readonly name: string;
  readonly kind: ModuleKind;
  /**
   * The dimension that every path through the branch passes: once it is emptied, the branch only adds a constant (its
   * last bias). If there are several, the one with most weights: all heads rather than all channels of the values.
   */
  readonly dimension?: PrunableDimension;
  /** The reason why no such dimension can be emptied. */
  readonly fixed?: string;
}

/** A branch, identified by its sum: `sum` = `skip` + the output of the branch. */
interface Branch {
  readonly skip: ValueId;
  readonly end: ValueId;
  readonly sum: ValueId;
  /** Name of the sum's node. */
  readonly node: string;
  /** Nodes on the paths from `skip` to `end`. */
  readonly nodes: readonly Node[];
}

/**
 * The modules of a graph in its order: innermost branches of residual sums (He et al., CVPR 2016) that some dimension
 * can sever. They are found by what nodes compute, not by names; dead ones are left out.
 */
export function residualModules(graph: Graph, dimensions: Dimensions): ResidualModule[] {
  const data = dataValues(graph);
  const branches = branchesOf(graph, data);
  const severed = branches.flatMap((branch) => {
    const severing = severingDimensions(branch, dimensions);
    return severing.length === 0 ? [] : [{ branch, severing }];
  });
  const sums = new Set(severed.map(({ branch }) => branch.sum));
  const innermost = severed.filter(
    ({ branch }) => !branch.nodes.some(({ outputs }) => outputs.some((output) => sums.has(output))),
  );
  return innermost.map(({ branch, severing }): ResidualModule => {
    const described = { name: scopeOf(branch.nodes) || branch.node, kind: kindOf(branch, data) };
    const dimension = largest(withPathsBeside(severing, graph, dimensions), graph, dimensions);
    if (dimension !== undefined) return { ...described, dimension };
    return { ...described, fixed: reasonOf(severing, graph, dimensions) };
  });
}

/** Every live sum of a value and of another that is computed from it. */
function branchesOf(graph: Graph, data: Uint8Array): Branch[] {
  const live = liveValues(graph);
  return graph.nodes.flatMap((node, at): Branch[] => {
    if (!isCallOf(node, addOperator) || !isLive(node, live)) return [];
    const [a, b] = node.inputs as [ValueId, ValueId];
    if (a === b || !data[a] || !data[b]) return [];
    const before = graph.nodes.slice(0, at);
    return [
      [a, b],
      [b, a],
    ].flatMap(([skip, end]) => {
      const nodes = between(before, skip!, end!);
      return nodes.length === 0
        ? []
        : [{ skip: skip!, end: end!, sum: node.outputs[0]!, node: node.name, nodes }];
    });
  });
}

/** The nodes through which one value depends on another; empty if it does not. */
function between(nodes: readonly Node[], from: ValueId, to: ValueId): Node[] {
  const reached = new Set([from]);
  const after = nodes.filter(({ inputs, outputs }) => {
    const depends = inputs.some((input) => reached.has(input));
    if (depends) for (const output of outputs) reached.add(output);
    return depends;
  });
  if (!reached.has(to)) return [];
  const needed = new Set([to]);
  return after
    .toReversed()
    .filter(({ inputs, outputs }) => {
      const leads = outputs.some((output) => needed.has(output));
      if (leads) for (const input of inputs) needed.add(input);
      return leads;
    })
    .reverse();
}

/** Dimensions whose removal severs every path through a branch, except those of the residual path itself. */
function severingDimensions({ skip, end, nodes }: Branch, dimensions: Dimensions): number[] {
  const { axes } = dimensions;
  const around = new Set(axes[skip]!.flatMap(dimensionsIn));
  const inside = new Set(
    nodes.flatMap(({ outputs }) => outputs.flatMap((output) => axes[output]!.flatMap(dimensionsIn))),
  );
  return [...inside].filter(
    (dimension) => !around.has(dimension) && !reachedWithout(dimension, [skip], nodes, dimensions).has(end),
  );
}

/** Values that others still reach once a dimension is emptied. */
function reachedWithout(
  dimension: number,
  from: readonly ValueId[],
  nodes: readonly Node[],
  { axes, list }: Dimensions,
): ReadonlySet<ValueId> {
  const size = (d: number) => (d === dimension ? 0 : list[d]!.size);
  const isEmpty = (e: Expression) => extentOf(e, size) === 0;
  const reached = new Set(from);
  for (const { inputs, outputs } of nodes) {
    if (!inputs.some((input) => reached.has(input))) continue;
    for (const output of outputs) if (!axes[output]!.some(isEmpty)) reached.add(output);
  }
  return reached;
}

/** The dimensions that some other path from the inputs bypasses, for every output. */
function withPathsBeside(numbers: readonly number[], graph: Graph, dimensions: Dimensions): number[] {
  const data = dataValues(graph);
  const inputs = graph.inputs.map(({ value }) => value);
  const outputs = graph.outputs.flatMap(({ value }) => (data[value] ? [value] : []));
  return numbers.filter((dimension) => {
    const reached = reachedWithout(dimension, inputs, graph.nodes, dimensions);
    return outputs.every((output) => reached.has(output));
  });
}

/** Attention multiplies activations with activations, or transforms all positions at once into their spectrum. */
function kindOf({ nodes }: Branch, data: Uint8Array): ModuleKind {
  const mixes = nodes.some(
    (node) =>
      isCallOf(node, dftOperator) ||
      (isCallOf(node, matMulOperator) && node.inputs.every((input) => data[input])),
  );
  return mixes ? "attention" : "feed-forward";
}

/** Among some dimensions, the one that can be emptied and removes most weights. */
function largest(
  numbers: readonly number[],
  graph: Graph,
  dimensions: Dimensions,
): PrunableDimension | undefined {
  const sizes = new Map(
    graph.tensors.flatMap(({ name, role, value }) =>
      role === "trainable" ? [[name, countElements(graph.values[value]!.shape as readonly number[])]] : [],
    ),
  );
  const weightsOf = ({ members }: PrunableDimension) =>
    [...new Set(members.map(({ tensor }) => tensor))].reduce((sum, name) => sum + (sizes.get(name) ?? 0), 0);
  return prunableDimensions(dimensions)
    .filter(({ number }) => numbers.includes(number))
    .reduce<PrunableDimension | undefined>(
      (best, one) => (best === undefined || weightsOf(one) > weightsOf(best) ? one : best),
      undefined,
    );
}

/** The reason why none of some dimensions can be emptied; preferably of one that weights have. */
function reasonOf(numbers: readonly number[], graph: Graph, { list }: Dimensions): string {
  const trainable = new Set(graph.tensors.flatMap(({ name, role }) => (role === "trainable" ? [name] : [])));
  const own = numbers.map((number) => list[number]!);
  const told = own.find(({ members }) => members.some(({ tensor }) => trainable.has(tensor))) ?? own[0]!;
  return `${told.name}: ${told.fixed ?? "the only path to an output also runs through it"}`;
}

/** The longest scope that contains all products (dropout may lie outside): `a.b` of `a.b.c/MatMul` and `a.b/MatMul`. */
function scopeOf(nodes: readonly Node[]): string {
  const products = nodes.filter((node) => isCallOf(node, matMulOperator));
  const scopes = (products.length > 0 ? products : nodes).map(({ name }) =>
    name.includes("/") ? name.slice(0, name.lastIndexOf("/")) : "",
  );
  const all = scopes.map((scope) => scope.split(/[./]/).filter((part) => part !== ""));
  const [parts] = all as [string[]];
  const end = parts.findIndex((part, i) => all.some((other) => other[i] !== part));
  return parts.slice(0, end < 0 ? parts.length : end).join(".");
}
