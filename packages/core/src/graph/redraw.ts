import type { Builder, Value } from "./builder.ts";
import { type Graph, isLive, type Node } from "./graph.ts";

/** What differs where a graph is drawn again. */
export interface RedrawOptions {
  /** Which values count, as `liveValues` gives them; what makes none of them is left out. All by default. */
  readonly live?: Uint8Array | undefined;
  /** Draws a node in another way; undefined draws it as it is. */
  readonly draw?: (node: Node, inputs: readonly Value[]) => readonly Value[] | undefined;
  /** Stands before the names of nodes. */
  readonly prefix?: string;
}

/** Draws the inputs and tensors of a graph; gives the new values by the old ones' numbers. */
export function redrawSources(b: Builder, graph: Graph, live?: Uint8Array): Value[] {
  const values: Value[] = new Array(graph.values.length);
  for (const { name, value } of graph.inputs) {
    const { shape, dtype } = graph.values[value]!;
    values[value] = b.input(name, shape, dtype);
  }
  for (const { name, role, value } of graph.tensors) {
    if (live === undefined || live[value]) values[value] = b.tensor(name, role, graph.values[value]!);
  }
  return values;
}

/** Draws the nodes of a graph on values that its inputs and tensors have become, and adds theirs to them. */
export function redrawNodes(b: Builder, graph: Graph, values: Value[], options: RedrawOptions = {}): void {
  const { live, draw, prefix = "" } = options;
  for (const node of graph.nodes) {
    if (live !== undefined && !isLive(node, live)) continue;
    const inputs = node.inputs.map((id) => values[id]!);
    const outputs =
      draw?.(node, inputs) ?? b.applyAll(node.operator, inputs, node.attributes, prefix + node.name);
    node.outputs.forEach((id, i) => {
      values[id] = outputs[i]!;
    });
  }
}
