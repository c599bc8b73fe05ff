import type {
  CallDescription,
  Graph,
  ProgramDescription,
  TensorData,
  Tensors,
} from "@espalier/core/inference";
import { BoundPhase, type BoundStep } from "./bound-phase.ts";
import type { Call } from "./compile/call.ts";
import type { Plan } from "./compile/plan.ts";
import { callOf, type KernelWork, type Phase, type WeightWork } from "./compile/step.ts";
import { Freshness } from "./freshness.ts";
import { PartsAtOnce } from "./parts-at-once.ts";
import { Placement } from "./placement.ts";
import type { WasmState } from "./state.ts";
import type { Surroundings } from "./threads/divide/divider.ts";
import { calibration } from "./weights/calibration.ts";
import { Repacking } from "./weights/repacking.ts";

/** A plan with addresses: memory is taken once, then every run is a list of calls. */
export class PlacedPlan {
  readonly plan: Plan;
  readonly #graph: Graph;
  readonly #state: WasmState;
  readonly #surroundings: Surroundings;
  /** The calls of steps that never change; those whose weight decides are divided when they are bound. */
  readonly #divided: ReadonlyMap<KernelWork, readonly Call[]>;
  readonly #repacking: Repacking;
  /** One arena for each thread, so that each can run the plan alone. */
  readonly #arenas: number;
  readonly #placement: Placement | undefined;
  readonly #freshness: Freshness;
  #phases: Record<Phase, BoundPhase> | undefined;
  #atOnce: PartsAtOnce | undefined;

  constructor(plan: Plan, graph: Graph, state: WasmState, { arenas = 1 }: { readonly arenas?: number } = {}) {
    this.plan = plan;
    this.#arenas = arenas;
    this.#graph = graph;
    this.#state = state;
    const { heap } = state;
    const { constants } = plan;
    this.#surroundings = { constants, panelRows: heap.kernels.panelRows(), limits: heap.limits };
    this.#repacking = new Repacking(heap, this.#surroundings);
    // Before they are placed: dividing adds constants.
    this.#divided = new Map(
      Object.values(plan.steps)
        .flat()
        .flatMap(({ work }) => (work.kind === "kernel" ? [[work, this.#divide(work.call)]] : [])),
    );
    this.#freshness = new Freshness(plan, graph, state);
    try {
      this.#placement = new Placement(heap, plan, arenas);
      this.#freshness.checkFinite({ all: true });
      for (const packed of plan.weights.packed) packed.refresh((call) => this.#repacking.add(call));
      this.#bind();
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  /** Bytes of intermediate values, and of values kept between runs. */
  get memory(): Pick<Placement, "arena" | "kept"> {
    return this.#placement!;
  }

  /** False once a mask was written: then other gradients are wanted, and the plan has to be made anew. */
  get isCurrent(): boolean {
    return this.#freshness.isCurrent;
  }

  /** Packs what changed, and computes anew what depends on tensors that were written. */
  refresh(): void {
    if (this.#freshness.isSeen) return;
    let rebind = false;
    this.#freshness.checkFinite();
    this.plan.weights.masked?.refresh(this.plan);
    for (const packed of this.plan.weights.packed)
      if (packed.refresh((call) => this.#repacking.add(call))) rebind = true;
    this.#repacking.run();
    if (rebind) this.#bind();
    if (this.#freshness.fixedChanged()) this.run("fixed");
    this.#freshness.markSeen();
  }

  write(inputs: Tensors): void {
    const { heap } = this.#state;
    for (const { name, view } of this.plan.inputs) {
      const { data, dtype } = inputs.get(name)!;
      const { address } = view.storage;
      if (dtype === "int32") heap.integers(address, data.length).set(data);
      else heap.floats(address, data.length).set(data);
    }
  }

  run(phase: Phase): void {
    this.#phases![phase].run();
  }

  /** Several parts of a batch, each of the size the plan is for, threads side by side. */
  partsAtOnce(count: number): PartsAtOnce {
    if (this.#atOnce === undefined || this.#atOnce.count < count) {
      this.#atOnce?.dispose();
      this.#atOnce = undefined;
      this.#atOnce = new PartsAtOnce(this.#state.heap, this.plan, this.#graph, count);
    }
    return this.#atOnce;
  }

  /** Whether threads can run the plan side by side: JavaScript is the first thread's. */
  get runsAtOnce(): boolean {
    return this.#arenas > 1 && this.plan.steps.main.every(({ work }) => work.kind !== "host");
  }

  /** The calls of a run, in order, and its memory. `apart`: each thread makes all calls, on its own part of the batch. */
  describe(apart: boolean): Omit<ProgramDescription, "part"> {
    const { arena, kept } = this.memory;
    const { threads } = this.#state.heap;
    return {
      bytes: { arena, kept, weights: this.plan.weights.bytes },
      ...(threads > 1 ? { threads } : {}),
      calls: [...this.calls("main"), ...this.calls("update")].map((step) => described(step, apart)),
      rates: calibration.machine,
    };
  }

  /** The calls of a phase one by one, for profiles. */
  calls(phase: Phase): readonly BoundStep[] {
    return this.#phases![phase].steps;
  }

  outputType(name: string): Pick<TensorData, "dtype" | "shape"> {
    const { view, dtype } = this.plan.outputs.find((output) => output.name === name)!;
    return { dtype, shape: view.shape };
  }

  read(name: string): TensorData {
    const { view, dtype } = this.plan.outputs.find((output) => output.name === name)!;
    const address = view.storage.address + 4 * view.offset;
    const length = view.shape.reduce((n, extent) => n * extent, 1);
    const { heap } = this.#state;
    const data = dtype === "int32" ? heap.integers(address, length) : heap.floats(address, length);
    return { dtype, shape: [...view.shape], data: data.slice() };
  }

  /** Changes the tensors, and counts their versions; packs of them know that only values are new. */
  update(): void {
    const { updated, weights } = this.plan;
    this.#state.holder = weights.masked;
    this.run("update");
    for (const { tensor } of this.#graph.updates) this.#state.touch(this.#state.slot(tensor));
    for (const packed of weights.packed) if (updated.has(packed.source.slot.name)) packed.updated();
    weights.masked?.updated();
  }

  dispose(): void {
    this.#state.settle();
    this.#placement?.dispose();
    this.#unbind();
    this.#repacking.dispose();
    this.plan.weights.dispose();
  }

  #divide(call: Call): readonly Call[] {
    return this.#state.heap.team?.divide(call, this.#surroundings) ?? [call];
  }

  #bind(): void {
    this.#unbind();
    const calls = (work: KernelWork | WeightWork) =>
      work.kind === "weight" ? this.#divide(callOf(work)) : this.#divided.get(work)!;
    const bind = (phase: Phase) => new BoundPhase(this.#state.heap, this.plan.steps[phase], calls);
    this.#phases = { fixed: bind("fixed"), main: bind("main"), update: bind("update") };
  }

  #unbind(): void {
    this.#atOnce?.dispose();
    this.#atOnce = undefined;
    for (const phase of Object.values(this.#phases ?? {})) phase.dispose();
    this.#phases = undefined;
  }
}

function described({ step, parts }: BoundStep, apart: boolean): CallDescription {
  const { node, work } = step;
  if (work.kind === "host") return { node, kernel: "JavaScript" };
  const { kernel } = callOf(work);
  const shared = parts > 1 && !apart ? { parts } : {};
  if (work.kind === "kernel") return { node, kernel, ...shared };
  const { format, pattern, cost } = work.weight;
  return { node, kernel, format, density: pattern.nonzero / (pattern.N * pattern.K), cost, ...shared };
}
