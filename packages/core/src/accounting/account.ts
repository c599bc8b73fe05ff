import type { Tensors } from "../backend.ts";
import { countElements, resolveShape } from "../graph/extent.ts";
import { dataValues, type Graph, isLive, liveValues, type Node, producers } from "../graph/graph.ts";
import { keptCount, type Mask } from "../model/mask.ts";

/** The cost of a model. Nothing else in Espalier counts parameters, FLOPs or bytes. */
export interface Accounting {
  readonly parameters: {
    /** Elements of all trainable tensors. */
    readonly total: number;
    /** The part of them in tensors that some output depends on, and in tensors that none does. */
    readonly live: number;
    readonly dead: number;
    /** Elements that no mask removes (an unmasked element counts even if its value happens to be 0). */
    readonly nonzero: number;
  };
  /** Floating-point operations of one pass, as `torch.utils.flop_counter` counts them (products, convolutions, attention). */
  readonly flops: {
    /** All nodes of the graph; zeros are multiplied like any other number. */
    readonly total: number;
    /** The part in nodes that no output depends on. */
    readonly dead: number;
    /** Live nodes only, with the products of masked weights skipped. */
    readonly effective: number;
  };
  /** All tensors: trainable, buffers and constants. */
  readonly bytes: {
    /** Every element in full (4 bytes). */
    readonly dense: number;
    /** Masked tensors as one bit per element plus the kept values, like the data of a model file. */
    readonly stored: number;
  };
}

/** The parts of a model that counting needs. */
export interface Countable {
  readonly graph: Graph;
  readonly tensors: Tensors;
  readonly masks: ReadonlyMap<string, Mask>;
}

/** Counts parameters, FLOPs (at `batch` samples) and bytes. */
export function account(model: Countable, batch = 1): Accounting {
  const { graph, masks } = model;
  const live = liveValues(graph);
  const parameters = { total: 0, live: 0, dead: 0, nonzero: 0 };
  const bytes = { dense: 0, stored: 0 };
  for (const { name, role, value } of graph.tensors) {
    const size = countElements(resolveShape(graph.values[value]!.shape, 1));
    const mask = masks.get(name);
    const kept = mask === undefined ? size : keptCount(mask);
    bytes.dense += 4 * size;
    bytes.stored += 4 * kept + (mask === undefined ? 0 : Math.ceil(size / 8));
    if (role !== "trainable") continue;
    parameters.total += size;
    parameters[live[value] ? "live" : "dead"] += size;
    parameters.nonzero += kept;
  }
  const flops = { total: 0, dead: 0, effective: 0 };
  const density = densities(model);
  for (const node of graph.nodes) {
    const cost = nodeFlops(graph, node, batch);
    flops.total += cost;
    if (isLive(node, live)) flops.effective += cost * node.inputs.reduce((d, input) => d * density(input), 1);
    else flops.dead += cost;
  }
  flops.effective = Math.round(flops.effective);
  return { parameters, flops, bytes };
}

/** FLOPs of one node at a batch size. */
export function nodeFlops(graph: Graph, node: Node, batch = 1): number {
  if (node.operator.flops === undefined) return 0;
  const shapes = (ids: readonly number[]) => ids.map((id) => resolveShape(graph.values[id]!.shape, batch));
  return node.operator.flops(shapes(node.inputs), shapes(node.outputs), node.attributes);
}

/** Sparsity: 1 − nonzero ÷ the trainable parameters of the unpruned model. */
export function sparsity(
  model: Countable & { readonly dense: Accounting },
  counted: Accounting = account(model),
): number {
  return 1 - counted.parameters.nonzero / model.dense.parameters.total;
}

/** Share of a value's elements that is kept: that of the masked tensor it holds (in any layout), else 1. */
function densities({ graph, masks }: Countable): (value: number) => number {
  const producer = producers(graph);
  const data = dataValues(graph);
  const byTensor = new Map(
    graph.tensors.flatMap(({ name, value }) => {
      const mask = masks.get(name);
      return mask === undefined
        ? []
        : [[value, keptCount(mask) / Math.max(1, countElements(mask.shape))] as const];
    }),
  );
  return (value) => {
    let at = value;
    if (data[at]) return 1;
    for (let node = producer[at]; node !== undefined; node = producer[at]) {
      if (node.operator.rearranges !== "all") return 1;
      at = node.inputs[0]!;
    }
    return byTensor.get(at) ?? 1;
  };
}
