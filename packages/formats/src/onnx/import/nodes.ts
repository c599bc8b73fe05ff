import type { AttributeProto, NodeProto } from "onnx-buf";
import { inOtherLayer, isScoped, weightBeside } from "./names.ts";
import { shown } from "./text.ts";

/** Analysis of a list of nodes: which are needed, who reads what, and names for weights. */

/** Maximum nesting of functions and branches. */
export const maxNested = 16;

/** Nodes that read each name. */
export type Readers = ReadonlyMap<string, readonly NodeProto[]>;

/** Attributes of a function's node, with references replaced by those of the call. */
export function resolved(
  attributes: readonly AttributeProto[],
  given: ReadonlyMap<string, AttributeProto>,
): readonly AttributeProto[] {
  return attributes.flatMap((attribute) => {
    if (attribute.refAttrName === "") return [attribute];
    const referred = given.get(attribute.refAttrName);
    return referred === undefined ? [] : [{ ...referred, name: attribute.name }];
  });
}

/** Names that a node reads: its inputs, and everything that its branches read. */
function readsOf(node: NodeProto, depth = 0): string[] {
  const inner =
    depth > maxNested
      ? []
      : node.attribute.flatMap(({ g, graphs }) => (g === undefined ? graphs : [g, ...graphs]));
  return [
    ...node.input,
    ...inner.flatMap((graph) => [
      ...graph.node.flatMap((one) => readsOf(one, depth + 1)),
      ...graph.output.map(({ name }) => name),
    ]),
  ];
}

/** The nodes that outputs depend on, in their order, and the names that they read. */
export function neededNodes(
  nodes: readonly NodeProto[],
  outputs: readonly string[],
): { readonly nodes: readonly NodeProto[]; readonly needed: ReadonlySet<string> } {
  const needed = new Set(outputs);
  const kept: NodeProto[] = [];
  for (const node of nodes.toReversed()) {
    if (!node.output.some((name) => name !== "" && needed.has(name))) continue;
    kept.push(node);
    for (const name of readsOf(node)) needed.add(name);
  }
  return { nodes: kept.reverse(), needed };
}

export function readersOf(nodes: readonly NodeProto[]): Readers {
  const readers = new Map<string, NodeProto[]>();
  for (const node of nodes) {
    for (const name of node.input) {
      const list = readers.get(name);
      if (list === undefined) readers.set(name, [node]);
      else list.push(node);
    }
  }
  return readers;
}

/**
 * A name for a weight that has lost its own: after the bias that is added to the product, otherwise after the module of
 * the node.
 */
export function nameFor(
  part: "weight" | "bias",
  node: NodeProto,
  module: string,
  readers: Readers,
): string | undefined {
  if (part === "weight") {
    const bias = biasOf(node, readers);
    const weight = bias && weightBeside(bias);
    if (weight !== undefined) return (isScoped(node) ? inOtherLayer(weight, module) : undefined) ?? weight;
  }
  return module === "" ? undefined : `${module}.${part}`;
}

/** The name of what is added to a product, if it is called a bias. */
export function biasOf(node: NodeProto, readers: Readers): string | undefined {
  const beside =
    node.opType === "Gemm" || node.opType.startsWith("Conv") ? node.input.slice(2) : addedTo(node, readers);
  return beside.find((name) => weightBeside(name) !== undefined);
}

/** The value that is added to a node's only output. */
function addedTo(node: NodeProto, readers: Readers): readonly string[] {
  const [output] = node.output;
  const next = readers.get(output ?? "");
  if (next?.length !== 1 || next[0]!.opType !== "Add") return [];
  return next[0]!.input.filter((name) => name !== output);
}

/** A node's name in messages, with its operator. */
export function titleOf({ name, opType, output }: NodeProto): string {
  const called = name === "" ? `the node that computes ${shown(output[0] ?? "")}` : `node ${shown(name)}`;
  return `${called} (${shown(opType).slice(1, -1)})`;
}
