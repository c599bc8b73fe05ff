import {
  EspalierError,
  type Graph,
  isLive,
  liveValues,
  type Node,
  type RatioAttributes,
  resolveShape,
} from "@espalier/core";
import { type KernelSet, kernelsOf } from "./kernels/index.ts";
import type { Kernel } from "./kernels/kernel.ts";
import { multiply } from "./kernels/training.ts";
import type { Kind } from "./options.ts";
import { nameOf } from "./runtime.ts";

/** One node made ready for one batch size. */
export interface PlanStep {
  readonly node: Node;
  readonly kernel: Kernel;
  readonly inputs: readonly number[];
  readonly shapes: readonly (readonly number[])[];
  /** Values that no later step reads: freed after this one. */
  readonly free: readonly number[];
}

/** What is run for one batch size. */
export interface Plan {
  /** Depends on tensors only that no run of this graph changes: computed again only when one was written. */
  readonly fixed: readonly PlanStep[];
  /** Names of those tensors. */
  readonly fixedTensors: readonly string[];
  readonly steps: readonly PlanStep[];
  /** Values of fixed steps that are kept between runs. */
  readonly kept: readonly number[];
  /** The value another one is, where a node does nothing. */
  readonly source: (value: number) => number;
}

/** Orders the live nodes of a graph, tells what is fixed from what is not, and says when each value is freed. */
export function makePlan(graph: Graph, batchSize: number, kind: Kind): Plan {
  const live = liveValues(graph);
  const alias = new Map<number, number>();
  const source = (value: number) => alias.get(value) ?? value;
  const changed = new Set(graph.updates.map(({ tensor }) => tensor));
  const fixedValues = new Set(graph.tensors.flatMap(({ name, value }) => (changed.has(name) ? [] : [value])));
  const set = kernelsOf(kind);
  const masks = dropoutMasks(graph, live, set);
  const fixed: PlanStep[] = [];
  const steps: PlanStep[] = [];
  for (const node of graph.nodes) {
    if (!isLive(node, live)) continue;
    const inputs = node.inputs.map(source);
    if (node.operator.name === "Dropout") {
      alias.set(node.outputs[0]!, inputs[0]!);
      continue;
    }
    const kernel = masks.get(node) ?? set.kernels.get(node.operator.name);
    if (kernel === undefined)
      throw new EspalierError(
        `backend ${nameOf(kind)} has no operator ${node.operator.name} (node ${node.name}).`,
      );
    const shapes = node.outputs.map((id) => resolveShape(graph.values[id]!.shape, batchSize));
    const step = { node, kernel, inputs, shapes, free: [] };
    if (inputs.every((id) => fixedValues.has(id)) && node.operator.name !== "RandomUniform") {
      fixed.push(step);
      for (const output of node.outputs) fixedValues.add(output);
    } else steps.push(step);
  }
  const stay = new Set([...graph.outputs, ...graph.updates].map(({ value }) => source(value)));
  const tensors = new Set(graph.tensors.map(({ value }) => value));
  const given = new Set(graph.inputs.map(({ value }) => value));
  const read = new Set(steps.flatMap(({ inputs }) => inputs));
  const kept = fixed.flatMap(({ node }) => node.outputs.filter((id) => read.has(id) || stay.has(id)));
  const fixedReads = new Set(fixed.flatMap(({ inputs }) => inputs));
  return {
    fixed: withFrees(fixed, new Set([...tensors, ...kept])),
    fixedTensors: graph.tensors.flatMap(({ name, value }) => (fixedReads.has(value) ? [name] : [])),
    steps: withFrees(steps, new Set([...tensors, ...fixedValues, ...stay, ...given])),
    kept,
    source,
  };
}

/**
 * Random numbers that only dropouts of one ratio read are drawn as their mask, so that the forward and the backward pass
 * are one product each.
 */
function dropoutMasks(graph: Graph, live: Uint8Array, { dropoutMask }: KernelSet): ReadonlyMap<Node, Kernel> {
  const result = new Map<Node, Kernel>();
  const outputs = new Set([...graph.outputs, ...graph.updates].map(({ value }) => value));
  for (const node of graph.nodes) {
    const [uniform] = node.outputs;
    if (node.operator.name !== "RandomUniform" || !isLive(node, live) || outputs.has(uniform!)) continue;
    const readers = graph.nodes.filter((reader) => isLive(reader, live) && reader.inputs.includes(uniform!));
    const ratios = new Set(readers.map(({ attributes }) => (attributes as RatioAttributes).ratio));
    const drops = ({ operator, inputs }: Node) =>
      operator.name === "DropoutTraining" && inputs[0] !== uniform && inputs[1] === uniform;
    if (ratios.size !== 1 || !readers.every(drops)) continue;
    result.set(node, dropoutMask([...ratios][0]!) as Kernel);
    for (const reader of readers) result.set(reader, multiply);
  }
  return result;
}

/** Adds to each step the values it is the last to read, those that must stay left out. */
function withFrees(steps: readonly PlanStep[], stay: ReadonlySet<number>): PlanStep[] {
  const last = new Map<number, number>();
  steps.forEach(({ inputs, node }, i) => {
    for (const id of [...node.outputs, ...inputs]) last.set(id, i);
  });
  const frees: number[][] = steps.map(() => []);
  for (const [id, i] of last) if (!stay.has(id)) frees[i]!.push(id);
  return steps.map((step, i) => ({ ...step, free: frees[i]! }));
}
