import { EspalierError } from "@espalier/core";
import {
  type DropoutFactors,
  type DropoutProduct,
  dropout,
  findOperations,
  type Single,
  survey,
} from "@espalier/core/compile";
import { type Graph, type Node, resolveShape } from "@espalier/core/graph";
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

/** The plan for one batch size. */
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
  const known = survey(graph);
  const kernels = kernelsOf(kind);
  const fixed: PlanStep[] = [];
  const steps: PlanStep[] = [];
  // Dropouts' random numbers are their factors: forward and backward pass are one product each.
  for (const operation of findOperations(known, [dropout])) {
    const { node, inputs } = operation;
    const kernel = kernelFor(operation, kernels);
    if (kernel === undefined)
      throw new EspalierError(
        `backend ${nameOf(kind)} has no operator ${node.operator.name} (node ${node.name}).`,
      );
    const shapes = node.outputs.map((id) => resolveShape(graph.values[id]!.shape, batchSize));
    const isFixed = node.outputs.every(known.isFixed);
    (isFixed ? fixed : steps).push({ node, kernel, inputs, shapes, free: [] });
  }
  const { leaves } = known;
  const tensors = graph.tensors.map(({ value }) => value);
  const read = new Set(steps.flatMap(({ inputs }) => inputs));
  const made = fixed.flatMap(({ node }) => node.outputs);
  const kept = made.filter((id) => read.has(id) || leaves(id));
  const given = [...tensors, ...graph.inputs.map(({ value }) => value), ...made];
  const fixedReads = new Set(fixed.flatMap(({ inputs }) => inputs));
  return {
    fixed: withFrees(fixed, new Set([...tensors, ...kept])),
    fixedTensors: graph.tensors.flatMap(({ name, value }) => (fixedReads.has(value) ? [name] : [])),
    steps: withFrees(steps, new Set([...given, ...steps.flatMap(({ node }) => node.outputs.filter(leaves))])),
    kept,
    source: known.source,
  };
}

function kernelFor(
  operation: Single | DropoutFactors | DropoutProduct,
  { kernels, dropoutMask }: KernelSet,
): Kernel | undefined {
  if (operation.kind === "dropoutFactors") return dropoutMask(operation.ratio) as Kernel;
  if (operation.kind === "dropoutProduct") return multiply;
  return kernels.get(operation.node.operator.name);
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
