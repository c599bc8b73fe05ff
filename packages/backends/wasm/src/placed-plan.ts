import {
  type CallDescription,
  EspalierError,
  type Graph,
  type ProgramDescription,
  type TensorData,
  type Tensors,
} from "@espalier/core";
import { BoundPhase, type BoundStep } from "./bound-phase.ts";
import type { Plan } from "./compile/plan.ts";
import type { Call, Phase, Step } from "./compile/step.ts";
import type { Storage } from "./compile/view.ts";
import { type Lifetime, planArena } from "./memory/arena.ts";
import { PartsAtOnce } from "./parts-at-once.ts";
import type { WasmState } from "./state.ts";
import type { Surroundings } from "./threads/divide/divider.ts";
import { Repacking } from "./weights/repacking.ts";

/** A plan with addresses: memory is taken once, then every run is a list of calls. */
export class PlacedPlan {
  readonly plan: Plan;
  /** Bytes of intermediate values, of values kept between runs, and of calls' settings. */
  readonly memory: { readonly arena: number; readonly kept: number; readonly constants: number };
  readonly #graph: Graph;
  readonly #state: WasmState;
  readonly #blocks: number[] = [];
  readonly #surroundings: Surroundings;
  /** The calls that steps are; those whose weight decides are divided when they are bound. */
  readonly #divided: ReadonlyMap<Step, readonly Call[]>;
  readonly #repacking: Repacking;
  /** As many arenas as threads: each may run the plan on its own. */
  readonly #arenas: number;
  #phases: Record<Phase, BoundPhase> | undefined;
  #atOnce: PartsAtOnce | undefined;
  readonly #versions = new Map<string, number>();
  readonly #updated: ReadonlySet<string>;
  #generation = -1;

  constructor(plan: Plan, graph: Graph, state: WasmState, { arenas = 1 }: { readonly arenas?: number } = {}) {
    this.plan = plan;
    this.#arenas = arenas;
    this.#graph = graph;
    this.#state = state;
    this.#updated = new Set(graph.updates.map(({ tensor }) => tensor));
    for (const mask of plan.masks) this.#versions.set(mask, state.version(mask));
    const { heap } = state;
    this.#surroundings = { constants: plan.constants, panelRows: heap.kernels.panelRows() };
    this.#repacking = new Repacking(heap, this.#surroundings);
    this.#divided = new Map(
      Object.values(plan.steps)
        .flat()
        .flatMap((step) => ("kernel" in step.call ? [[step, this.#divide(step.call)]] : [])),
    );
    try {
      this.memory = this.#place();
      this.#checkFinite(() => true);
      for (const packed of plan.weights.packed) packed.refresh((call) => this.#repacking.add(call));
      this.#bind();
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  /** False once a mask was written: then other gradients are wanted, and the plan has to be made anew. */
  isCurrent(): boolean {
    return this.plan.masks.every((mask) => this.#versions.get(mask) === this.#state.version(mask));
  }

  /** Packs what changed, and computes anew what depends on tensors that were written. */
  refresh(): void {
    if (this.#generation === this.#state.generation) return;
    const { weights } = this.plan;
    let rebind = false;
    const updated = this.#updated;
    this.#checkFinite((name) => !updated.has(name));
    for (const packed of weights.packed)
      if (packed.refresh((call) => this.#repacking.add(call))) rebind = true;
    this.#repacking.run();
    if (rebind) this.#bind();
    if (this.#fixedChanged()) this.run("fixed");
    this.#generation = this.#state.generation;
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
      const calls = (step: Step) => ("weight" in step.call ? step.call.bind() : (step.call as Call));
      this.#atOnce = undefined;
      this.#atOnce = new PartsAtOnce(this.#state.heap, this.plan, this.#graph, count, calls);
    }
    return this.#atOnce;
  }

  /** Whether threads can run the plan side by side: JavaScript is the first thread's. */
  get runsAtOnce(): boolean {
    return this.#arenas > 1 && this.plan.steps.main.every(({ call }) => !("run" in call));
  }

  /** What a run calls, in order, and the memory it takes. `apart`: each thread makes all calls, of another part of the batch. */
  describe(apart: boolean): Omit<ProgramDescription, "part"> {
    const { arena, kept } = this.memory;
    const { threads } = this.#state.heap;
    return {
      bytes: { arena, kept, weights: this.plan.weights.bytes },
      ...(threads > 1 ? { threads } : {}),
      calls: [...this.calls("main"), ...this.calls("update")].map(({ step, parts }): CallDescription => {
        const { node, call } = step;
        if ("run" in call) return { node, kernel: "JavaScript" };
        const shared = parts > 1 && !apart ? { parts } : {};
        if ("kernel" in call) return { node, kernel: call.kernel, ...shared };
        const { format, pattern, cost } = call.weight;
        const density = pattern.nonzero / (pattern.N * pattern.K);
        return { node, kernel: call.bind().kernel, format, density, cost, ...shared };
      }),
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

  /** Counts the versions of what a run has changed; packs of it know that only values are new. */
  afterUpdates(): void {
    for (const { tensor } of this.#graph.updates) this.#state.touch(this.#state.slot(tensor));
    const changed = new Set(this.#graph.updates.map(({ tensor }) => tensor));
    for (const packed of this.plan.weights.packed) if (changed.has(packed.source.slot.name)) packed.updated();
  }

  dispose(): void {
    for (const block of this.#blocks.splice(0)) this.#state.heap.free(block);
    this.#unbind();
    this.#repacking.dispose();
    this.plan.weights.dispose();
  }

  #fixedChanged(): boolean {
    if (this.plan.steps.fixed.length === 0) return false;
    const updated = this.#updated;
    let changed = false;
    for (const { name } of this.#graph.tensors) {
      if (updated.has(name)) continue;
      const version = this.#state.version(name);
      if (this.#versions.get(`fixed ${name}`) !== version) changed = true;
      this.#versions.set(`fixed ${name}`, version);
    }
    return changed;
  }

  /** Parameters are checked whenever they were written from outside; what training makes of them its loss tells. */
  #checkFinite(which: (name: string) => boolean): void {
    const { heap } = this.#state;
    for (const { name, role } of this.#graph.tensors) {
      if (role !== "trainable" || !which(name)) continue;
      const slot = this.#state.slot(name);
      const key = `finite ${name}`;
      if (this.#versions.get(key) === slot.version) continue;
      const at = heap.kernels.firstNonFinite(slot.length, slot.address);
      if (at >= 0) {
        throw new EspalierError(
          `tensor "${name}" holds ${heap.floats(slot.address, slot.length)[at]} at position ${at}: a weight must be a finite number. Was the model trained with too high a learning rate?`,
        );
      }
      this.#versions.set(key, slot.version);
    }
  }

  /** Gives every storage an address: what lives from fixed steps on a place of its own, the rest one in the arena. */
  #place() {
    const { plan } = this;
    const { heap } = this.#state;
    const { fixed, main, update } = plan.steps;
    const steps = [...fixed, ...main, ...update];
    const uses = new Map<Storage, { first: number; last: number }>();
    const use = (storage: Storage, at: number) => {
      if (storage.kind === "tensor" || storage === plan.constantStorage) return;
      const known = uses.get(storage);
      if (known === undefined) uses.set(storage, { first: at, last: at });
      else {
        known.first = Math.min(known.first, at);
        known.last = Math.max(known.last, at);
      }
    };
    steps.forEach(({ touches }, at) => {
      for (const { storage } of touches) use(storage, at);
    });
    for (const { view } of plan.inputs) use(view.storage, fixed.length);
    for (const { view } of plan.outputs) use(view.storage, fixed.length + main.length);
    const arena: (Lifetime & { storage: Storage })[] = [];
    // What lies in rows' padding is computed with, and must be ordinary numbers: memory is cleared, once.
    let kept = 0;
    for (const [storage, { first, last }] of uses) {
      if (first < fixed.length && last >= fixed.length) {
        storage.address = this.#allocate(storage.bytes, "a constant part of the model");
        heap.kernels.fill(storage.address, storage.bytes);
        kept += storage.bytes;
      } else arena.push({ bytes: storage.bytes + slack, first, last, storage });
    }
    const placed = planArena(arena);
    const bytes = this.#arenas * placed.bytes;
    const start = this.#allocate(bytes, `running at batch ${plan.batchSize}`);
    heap.kernels.fill(start, bytes);
    arena.forEach(({ storage }, i) => {
      storage.address = start + placed.offsets[i]!;
      storage.perThread = placed.bytes;
    });
    const constants = 4 * plan.constants.length;
    plan.constantStorage.address = this.#allocate(constants, "settings of kernels");
    heap.integers(plan.constantStorage.address, plan.constants.length).set(plan.constants);
    return { arena: bytes, kept, constants };
  }

  #allocate(bytes: number, what: string): number {
    const address = this.#state.heap.allocate(bytes, what);
    this.#blocks.push(address);
    return address;
  }

  #divide(call: Call): readonly Call[] {
    return this.#state.heap.team?.divide(call, this.#surroundings) ?? [call];
  }

  #bind(): void {
    this.#unbind();
    const calls = (step: Step) =>
      "weight" in step.call ? this.#divide(step.call.bind()) : this.#divided.get(step)!;
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

/** Kernels read a little beyond their operands. */
const slack = 64;
