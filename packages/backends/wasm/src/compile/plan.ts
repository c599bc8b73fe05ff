import { findOperations, type Operation, outputsOf, survey } from "@espalier/core/compile/inference";
import { type Graph, isCallOf, matMulOperator, type ValueId } from "@espalier/core/inference";
import { byDefinition } from "../kernels/by-definition.ts";
import type { KernelSet } from "../kernels/kernel.ts";
import { emitAttention, emitLinear, emitProduct } from "../kernels/products.ts";
import type { WasmState } from "../state.ts";
import { WeightStore } from "../weights/weight-store.ts";
import { Emitter, type PatternOf } from "./emitter.ts";
import type { Phase, Step } from "./step.ts";
import { contiguous, isContiguous, rowMajor, type View } from "./view.ts";
import { wantedLayouts } from "./wanted.ts";

/** The steps for one batch size, before memory is assigned. */
export interface Plan {
  readonly batchSize: number;
  readonly steps: Readonly<Record<Phase, readonly Step[]>>;
  readonly inputs: readonly { readonly name: string; readonly view: View }[];
  readonly outputs: readonly {
    readonly name: string;
    readonly view: View;
    readonly dtype: "float32" | "int32";
  }[];
  /** Numbers that calls read, until they have their place. */
  readonly constants: number[];
  readonly constantStorage: View["storage"];
  readonly weights: WeightStore;
  /** Tensors that a run changes. */
  readonly updated: ReadonlySet<string>;
  /** Tensors that decided how the plan looks: masks. When one is written the plan is made anew. */
  readonly masks: readonly string[];
}

/** Throws an EspalierError if memory is too small or an operator is unknown; nothing stays allocated then. */
export function makePlan(graph: Graph, kernels: KernelSet, state: WasmState, batchSize: number): Plan {
  const weights = new WeightStore(state);
  try {
    return emitPlan(graph, kernels, state, batchSize, weights);
  } catch (error) {
    weights.dispose();
    throw error;
  }
}

function emitPlan(
  graph: Graph,
  kernels: KernelSet,
  state: WasmState,
  batchSize: number,
  weights: WeightStore,
): Plan {
  const known = survey(graph);
  const operations = findOperations(known, kernels.patterns);
  const masks = kernels.training?.masksOf(known, operations) ?? new Map<string, string>();
  const patternOf: PatternOf = (tensor) => {
    if (!known.changes(tensor)) return "values";
    const mask = masks.get(tensor);
    return mask === undefined ? "any" : { mask: state.slot(mask) };
  };
  const e = Emitter.begin({
    graph,
    state,
    batchSize,
    weights,
    wanted: wantedLayouts(graph, operations, batchSize),
    patternOf,
  });
  for (const { name, value } of graph.tensors) e.bindTensor(value, state.slot(name), !known.changes(name));
  const inputs = graph.inputs.map(({ name, value }) => {
    const shape = e.shape(value);
    const view = contiguous(e.storage(4 * shape.reduce((n, extent) => n * extent, 1)), shape);
    // Laid out once as readers want it; a single reader does that itself.
    const layout =
      graph.nodes.filter((node) => node.inputs.includes(value)).length > 1 ? e.wanted(value) : undefined;
    e.set(value, layout === undefined ? view : e.at(`input ${name}`).copy(view, layout));
    return { name, view };
  });
  const emit = (operation: Operation): void => {
    const phase = outputsOf(operation).every(known.isFixed) ? "fixed" : "main";
    emitOperation(e.at(operation.node.name, phase), operation, kernels, emit);
  };
  const adam = operations.filter((operation) => operation.kind === "adam");
  for (const operation of operations) if (operation.kind !== "adam") emit(operation);
  for (const operation of adam) {
    kernels.training!.emitAdamInPlace(e.at(operation.node.name), operation, weights, emit);
  }
  const outputs = graph.outputs.map(({ name, value }) => {
    const view = e.view(known.source(value));
    const whole = isContiguous(view) ? view : e.at(`output ${name}`).copy(view, rowMajor(view.shape.length));
    return { name, view: whole, dtype: graph.values[value]!.dtype };
  });
  emitUpdates(e, known.source, new Set(adam.flatMap(({ node }) => node.outputs)));
  return {
    batchSize,
    steps: e.steps,
    inputs,
    outputs,
    constants: e.constants,
    constantStorage: e.constantStorage,
    weights,
    updated: new Set(graph.updates.map(({ tensor }) => tensor)),
    masks: [...new Set(masks.values())],
  };
}

function emitOperation(
  e: Emitter,
  operation: Operation,
  { emits, training }: KernelSet,
  emit: (operation: Operation) => void,
): void {
  switch (operation.kind) {
    case "linear":
      emitLinear(e, operation);
      return;
    case "attention":
      emitAttention(e, operation);
      return;
    case "dropoutFactors":
    case "dropoutProduct":
      training!.emitDropout(e, operation);
      return;
    case "adam":
      return;
    case "node": {
      const { node, inputs } = operation;
      const isProduct = isCallOf(node, matMulOperator);
      if (isProduct && e.shape(inputs[1]!).length === 2) {
        emit({ kind: "linear", node, x: inputs[0]!, weight: inputs[1]!, output: node.outputs[0]! });
        return;
      }
      const known = isProduct ? emitProduct : (emits.get(node.operator.name) ?? byDefinition);
      known(e, { node, inputs, attributes: node.attributes });
      return;
    }
    default:
      // Taken for its last node alone, an unknown operation would lose the others.
      operation satisfies never;
      throw new TypeError(`no kernel call for operation ${(operation as Operation).kind}`);
  }
}

/** Tensors take their new values last. One whose new value is another's old one is given a copy of it first. */
function emitUpdates(e: Emitter, source: (value: ValueId) => ValueId, done: ReadonlySet<ValueId>): void {
  const { graph, state } = e;
  const pending = graph.updates.filter(({ value }) => !done.has(source(value)));
  const views = pending.map(({ tensor, value }) => {
    const view = e.view(source(value));
    if (view.storage.kind !== "tensor") return view;
    const before = e.at(`update ${tensor}`);
    const kept = before.allocate(view.shape, rowMajor(view.shape.length));
    before.copyInto(kept, view);
    return kept;
  });
  pending.forEach(({ tensor }, i) => {
    const slot = state.slot(tensor);
    const storage = { bytes: 4 * slot.length, kind: "tensor" as const, name: tensor, address: slot.address };
    e.at(`update ${tensor}`, "update").copyInto(contiguous(storage, slot.shape), views[i]!);
  });
}
