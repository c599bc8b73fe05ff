import type { Builder, Value } from "./builder.ts";
import { type Graph, isLive, type Node } from "./graph.ts";

/** Options of drawing a graph again. */
export interface RedrawOptions {
  /**
   * The values to draw, in the form that `liveValues` returns; nodes that compute none of them are left out. By default
   * all.
   */
  readonly live?: Uint8Array | undefined;
  /** Draws a node differently; undefined draws it unchanged. */
  readonly draw?: (node: Node, inputs: readonly Value[]) => readonly Value[] | undefined;
  /** Prefix of node names. */
  readonly prefix?: string;
}

/** Draws the inputs and tensors of a graph; returns the new values by the numbers of the old ones. */
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

/** Draws the nodes of a graph on the new values of its inputs and tensors, and adds the nodes' values to them. */
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
