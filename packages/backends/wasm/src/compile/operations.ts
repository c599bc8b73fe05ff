import {
  type Graph,
  isLive,
  liveValues,
  type Node,
  type RatioAttributes,
  type ScaleAttributes,
  sameShape,
  type ValueId,
} from "@espalier/core";

/** What becomes one or a few kernel calls: a node, or several that run as one. */
export type Operation =
  | { readonly kind: "node"; readonly node: Node; readonly inputs: readonly ValueId[] }
  | Linear
  | Attention
  | AdamInPlace
  /** Random numbers that only dropouts of one ratio read, drawn as the factors they are. */
  | {
      readonly kind: "dropoutFactors";
      readonly node: Node;
      readonly inputs: readonly ValueId[];
      readonly ratio: number;
    }
  | { readonly kind: "dropoutProduct"; readonly node: Node; readonly inputs: readonly ValueId[] };

/** activation(x·W + bias) + residual, W a matrix. */
export interface Linear {
  readonly kind: "linear";
  /** The product; messages and reports name it. */
  readonly node: Node;
  readonly x: ValueId;
  readonly weight: ValueId;
  readonly bias?: ValueId;
  readonly activation?: Node;
  readonly residual?: ValueId;
  readonly output: ValueId;
}

/** softmax(scale · q·k)·v with k […, C, S] already transposed. */
export interface Attention {
  readonly kind: "attention";
  readonly node: Node;
  readonly q: ValueId;
  readonly k: ValueId;
  readonly v: ValueId;
  readonly scale?: ScaleAttributes;
  readonly output: ValueId;
  /** What it is without fusion, where the views do not allow it. */
  readonly parts: readonly Operation[];
}

/** Adam whose three results only replace its own three tensors, so that it may write them where they are. */
export interface AdamInPlace {
  readonly kind: "adam";
  readonly node: Node;
  readonly inputs: readonly ValueId[];
  /** The product the gradient comes from, and the transposes and reshapes between, where the mask decides what is needed of it. */
  readonly masked?: {
    readonly product: Operation & { kind: "node" };
    readonly chain: readonly (Operation & { kind: "node" })[];
  };
}

interface LiveNode {
  readonly node: Node;
  readonly inputs: readonly ValueId[];
}

/** The live nodes of a graph as operations, in an order in which every input comes first, and what dropout was passed through. */
export function findOperations(graph: Graph): {
  readonly operations: readonly Operation[];
  readonly source: (value: ValueId) => ValueId;
} {
  const surroundings = survey(graph);
  const { nodes, source } = surroundings;
  const taken = new Map<Node, Operation | undefined>();
  const claim = (operation: Operation, last: Node, absorbed: readonly Node[]) => {
    for (const node of absorbed) taken.set(node, undefined);
    taken.set(last, operation);
  };
  for (const live of nodes) {
    const name = live.node.operator.name;
    if (name === "Adam") matchAdam(live, surroundings, claim);
    if (name === "RandomUniform") matchDropout(live, surroundings, claim);
  }
  for (const live of nodes) {
    if (live.node.operator.name !== "MatMul" || taken.has(live.node)) continue;
    if (rankOf(graph, live.inputs[1]!) > 2) matchAttention(live, surroundings, claim);
  }
  for (const live of nodes) {
    if (live.node.operator.name !== "MatMul" || taken.has(live.node)) continue;
    if (rankOf(graph, live.inputs[1]!) === 2) matchLinear(live, surroundings, taken, claim);
  }
  const operations = nodes.flatMap((live): Operation[] => {
    if (!taken.has(live.node)) return [asNode(live)];
    const operation = taken.get(live.node);
    return operation === undefined ? [] : [operation];
  });
  return { operations, source };
}

type Claim = (operation: Operation, last: Node, absorbed: readonly Node[]) => void;

interface Surroundings {
  readonly graph: Graph;
  readonly nodes: readonly LiveNode[];
  readonly source: (value: ValueId) => ValueId;
  readonly producer: (value: ValueId) => LiveNode | undefined;
  /** The one node that reads a value, if nothing else does. */
  readonly onlyReader: (value: ValueId) => LiveNode | undefined;
  readonly readers: (value: ValueId) => readonly LiveNode[];
  readonly leaves: (value: ValueId) => boolean;
}

function survey(graph: Graph): Surroundings {
  const live = liveValues(graph);
  const alias = new Map<ValueId, ValueId>();
  const source = (value: ValueId) => alias.get(value) ?? value;
  const nodes: LiveNode[] = [];
  for (const node of graph.nodes) {
    if (!isLive(node, live)) continue;
    const inputs = node.inputs.map(source);
    if (node.operator.name === "Dropout") alias.set(node.outputs[0]!, inputs[0]!);
    else nodes.push({ node, inputs });
  }
  const producers = new Map(nodes.flatMap((one) => one.node.outputs.map((value) => [value, one] as const)));
  const readers = new Map<ValueId, LiveNode[]>();
  for (const one of nodes) {
    for (const input of new Set(one.inputs)) readers.set(input, [...(readers.get(input) ?? []), one]);
  }
  const leaving = new Set([...graph.outputs, ...graph.updates].map(({ value }) => source(value)));
  const readersOf = (value: ValueId) => readers.get(value) ?? [];
  return {
    graph,
    nodes,
    source,
    producer: (value) => producers.get(value),
    readers: readersOf,
    leaves: (value) => leaving.has(value),
    onlyReader: (value) =>
      leaving.has(value) || readersOf(value).length !== 1 ? undefined : readersOf(value)[0],
  };
}

const asNode = ({ node, inputs }: LiveNode): Operation & { kind: "node" } => ({ kind: "node", node, inputs });
const rankOf = (graph: Graph, value: ValueId) => graph.values[value]!.shape.length;

const activations: ReadonlySet<string> = new Set(["Gelu", "Relu", "Elu", "Sigmoid", "Tanh"]);

/** Takes in what follows a product: bias, then an activation or a residual. */
function matchLinear(
  live: LiveNode,
  { graph, onlyReader }: Surroundings,
  taken: ReadonlyMap<Node, unknown>,
  claim: Claim,
): void {
  const [x, weight] = live.inputs as [ValueId, ValueId];
  const draft: { -readonly [K in keyof Linear]: Linear[K] } = {
    kind: "linear",
    node: live.node,
    x,
    weight,
    output: live.node.outputs[0]!,
  };
  const { shape } = graph.values[draft.output]!;
  const absorbed: Node[] = [];
  let last = live.node;
  for (;;) {
    const next = onlyReader(draft.output);
    if (next === undefined || taken.has(next.node)) break;
    const name = next.node.operator.name;
    if (name === "Add") {
      const other = next.inputs[0] === draft.output ? next.inputs[1]! : next.inputs[0]!;
      const type = graph.values[other]!;
      if (other === draft.output || draft.activation !== undefined || draft.residual !== undefined) break;
      if (draft.bias === undefined && type.shape.length === 1 && type.shape[0] === shape.at(-1))
        draft.bias = other;
      else if (sameShape(type.shape, shape)) draft.residual = other;
      else break;
    } else if (activations.has(name)) {
      if (draft.activation !== undefined || draft.residual !== undefined) break;
      draft.activation = next.node;
    } else break;
    absorbed.push(last);
    last = next.node;
    draft.output = last.outputs[0]!;
  }
  claim(draft, last, absorbed);
}

/** softmax(scale · q·k)·v where nothing else reads scores or weights: in evaluation, not while gradients want them. */
function matchAttention(live: LiveNode, { graph, producer, onlyReader }: Surroundings, claim: Claim): void {
  const [p, v] = live.inputs as [ValueId, ValueId];
  const softmax = producer(p);
  if (softmax?.node.operator.name !== "Softmax" || onlyReader(p) === undefined) return;
  const { shape } = graph.values[p]!;
  const { axis } = softmax.node.attributes as { axis: number };
  if (axis !== -1 && axis !== shape.length - 1) return;
  let scores = producer(softmax.inputs[0]!);
  if (scores === undefined || onlyReader(softmax.inputs[0]!) === undefined) return;
  let scaling: LiveNode | undefined;
  if (scores.node.operator.name === "Scale") {
    scaling = scores;
    if (onlyReader(scaling.inputs[0]!) === undefined) return;
    scores = producer(scaling.inputs[0]!);
  }
  if (scores?.node.operator.name !== "MatMul") return;
  const [q, k] = scores.inputs as [ValueId, ValueId];
  const lead = (value: ValueId) => graph.values[value]!.shape.slice(0, -2);
  if (![q, k, v].every((value) => sameShape(lead(value), lead(p))) || shape.length > 4) return;
  const parts = [scores, ...(scaling === undefined ? [] : [scaling]), softmax, live].map(asNode);
  const operation: Attention = {
    kind: "attention",
    node: live.node,
    q,
    k,
    v,
    ...(scaling === undefined ? {} : { scale: scaling.node.attributes as unknown as ScaleAttributes }),
    output: live.node.outputs[0]!,
    parts,
  };
  claim(
    operation,
    live.node,
    parts.slice(0, -1).map(({ node }) => node),
  );
}

function matchDropout(live: LiveNode, { readers, leaves }: Surroundings, claim: Claim): void {
  const [uniform] = live.node.outputs as [ValueId];
  const drops = readers(uniform);
  const ratios = new Set(drops.map(({ node }) => (node.attributes as RatioAttributes).ratio));
  if (leaves(uniform) || ratios.size !== 1) return;
  const isDrop = ({ node, inputs }: LiveNode) =>
    node.operator.name === "DropoutTraining" && inputs[0] !== uniform && inputs[1] === uniform;
  if (!drops.every(isDrop)) return;
  claim({ ...asNode(live), kind: "dropoutFactors", ratio: [...ratios][0]! }, live.node, []);
  for (const drop of drops) claim({ ...asNode(drop), kind: "dropoutProduct" }, drop.node, []);
}

function matchAdam(live: LiveNode, surroundings: Surroundings, claim: Claim): void {
  const { graph, readers, source } = surroundings;
  const { node, inputs } = live;
  const tensorOf = new Map(graph.tensors.map(({ name, value }) => [value, name]));
  const updated = new Map(graph.updates.map(({ tensor }) => [tensor, true]));
  const inPlace = node.outputs.every((output, i) => {
    const own = tensorOf.get(inputs[i === 0 ? 0 : i + 1]!);
    const uses = graph.updates.filter(({ value }) => source(value) === output);
    return (
      uses.length === 1 &&
      uses[0]!.tensor === own &&
      readers(output).length === 0 &&
      graph.outputs.every(({ value }) => source(value) !== output)
    );
  });
  if (!inPlace) return;
  const operation: AdamInPlace = { kind: "adam", node, inputs };
  const mask = inputs[6] === undefined ? undefined : tensorOf.get(inputs[6]);
  const origin = mask === undefined || updated.has(mask) ? undefined : gradientProduct(live, surroundings);
  if (origin === undefined) claim(operation, node, []);
  else {
    const masked = { product: asNode(origin.product), chain: origin.chain.map(asNode) };
    claim({ ...operation, masked }, node, [origin.product.node, ...origin.chain.map((one) => one.node)]);
  }
}

/** The product of two matrices that a gradient is, up to its order of axes, if nothing else reads it. */
function gradientProduct(adam: LiveNode, { graph, producer, onlyReader }: Surroundings) {
  const chain: LiveNode[] = [];
  for (let value = adam.inputs[1]!; ; ) {
    const from = producer(value);
    if (from === undefined || onlyReader(value) === undefined) return undefined;
    const name = from.node.operator.name;
    if (name === "MatMul") {
      const flat = from.inputs.every((input) => rankOf(graph, input) === 2);
      return flat ? { product: from, chain } : undefined;
    }
    if (name !== "Transpose" && name !== "Reshape") return undefined;
    chain.unshift(from);
    value = from.inputs[0]!;
  }
}
