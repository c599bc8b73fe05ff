import { type Dimensions, type PrunableDimension, prunableDimensions } from "../dimensions/dimensions.ts";
import { dimensionsIn, type Expression, extentOf } from "../dimensions/expression.ts";
import { countElements } from "../graph/extent.ts";
import { dataValues, type Graph, isLive, liveValues, type Node, type ValueId } from "../graph/graph.ts";
import { dftOperator } from "../operators/dft.ts";
import { addOperator } from "../operators/elementwise.ts";
import { matMulOperator } from "../operators/matmul.ts";
import { isCallOf } from "../operators/operator.ts";

/** What a module does: `attention` lets positions see each other; `feed-forward` works on each by itself. */
export type ModuleKind = "attention" | "feed-forward";

/** A branch beside a residual path: the attention or the feed-forward of a layer. */
export interface ResidualModule {
  /** Scope that its products share: `encoder.attn_layers.0.attention`; where there is none, the name of the sum's node. */
  readonly name: string;
  readonly kind: ModuleKind;
  /**
   * The dimension that every path through the branch runs through: once it is emptied, the branch adds a constant (its
   * last bias). The one with most weights, where there are several: all heads rather than all channels of the values.
   */
  readonly dimension?: PrunableDimension;
  /** Why there is none that can be emptied. */
  readonly fixed?: string;
}

/** A branch, by its sum: `sum` = `skip` + what the branch makes of it. */
interface Branch {
  readonly skip: ValueId;
  readonly end: ValueId;
  readonly sum: ValueId;
  /** Name of the sum's node. */
  readonly node: string;
  /** Nodes on the way from `skip` to `end`. */
  readonly nodes: readonly Node[];
}

/**
 * The modules of a graph in its order: innermost branches of residual sums (He et al., CVPR 2016) that some dimension
 * severs. Found by what nodes compute, not by what they are called; dead ones are left out.
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

/** Every live sum of a value and of something that is computed from it. */
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

/** The nodes through which one value depends on another; none where it does not. */
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

/** Dimensions without which no path leads through a branch, those of the residual path itself left out. */
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

/** Values that some others still lead to once a dimension is emptied. */
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

/** The dimensions that other paths from the inputs to every output run beside. */
function withPathsBeside(numbers: readonly number[], graph: Graph, dimensions: Dimensions): number[] {
  const data = dataValues(graph);
  const inputs = graph.inputs.map(({ value }) => value);
  const outputs = graph.outputs.flatMap(({ value }) => (data[value] ? [value] : []));
  return numbers.filter((dimension) => {
    const reached = reachedWithout(dimension, inputs, graph.nodes, dimensions);
    return outputs.every((output) => reached.has(output));
  });
}

/** Attention multiplies activations with activations, or looks at all positions at once in their spectrum. */
function kindOf({ nodes }: Branch, data: Uint8Array): ModuleKind {
  const mixes = nodes.some(
    (node) =>
      isCallOf(node, dftOperator) ||
      (isCallOf(node, matMulOperator) && node.inputs.every((input) => data[input])),
  );
  return mixes ? "attention" : "feed-forward";
}

/** Of some dimensions the one that can be emptied and takes most weights along. */
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

/** Why none of some dimensions can be emptied: of one that weights have, if there is one. */
function reasonOf(numbers: readonly number[], graph: Graph, { list }: Dimensions): string {
  const trainable = new Set(graph.tensors.flatMap(({ name, role }) => (role === "trainable" ? [name] : [])));
  const own = numbers.map((number) => list[number]!);
  const told = own.find(({ members }) => members.some(({ tensor }) => trainable.has(tensor))) ?? own[0]!;
  return `${told.name}: ${told.fixed ?? "the only path to an output runs through it as well"}`;
}

/** The longest scope that all products lie in (dropout may lie outside): `a.b` of `a.b.c/MatMul` and `a.b/MatMul`. */
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
