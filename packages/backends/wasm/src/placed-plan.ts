import {
  type CallDescription,
  EspalierError,
  type Graph,
  type ProgramDescription,
  type TensorData,
  type Tensors,
} from "@espalier/core";
import type { Plan } from "./compile/plan.ts";
import { type Call, isPointer, type Phase, type Pointer, type Step } from "./compile/step.ts";
import type { Storage } from "./compile/view.ts";
import { type Lifetime, planArena } from "./memory/arena.ts";
import type { WasmState } from "./state.ts";

interface Bound {
  readonly step: Step;
  run: () => void;
}

/** A plan with addresses: memory is taken once, then every run is a list of calls. */
export class PlacedPlan {
  readonly plan: Plan;
  /** Bytes of intermediate values, of values kept between runs, and of calls' settings. */
  readonly memory: { readonly arena: number; readonly kept: number; readonly constants: number };
  readonly #graph: Graph;
  readonly #state: WasmState;
  readonly #blocks: number[] = [];
  readonly #bound: Record<Phase, Bound[]>;
  readonly #versions = new Map<string, number>();
  readonly #updated: ReadonlySet<string>;
  #generation = -1;

  constructor(plan: Plan, graph: Graph, state: WasmState) {
    this.plan = plan;
    this.#graph = graph;
    this.#state = state;
    this.#updated = new Set(graph.updates.map(({ tensor }) => tensor));
    for (const mask of plan.masks) this.#versions.set(mask, state.version(mask));
    try {
      this.memory = this.#place();
      this.#checkFinite(() => true);
      for (const packed of plan.weights.packed) packed.refresh();
    } catch (error) {
      this.dispose();
      throw error;
    }
    const bind = (steps: readonly Step[]) => steps.map((step) => ({ step, run: this.#bind(step) }));
    const { fixed, main, update } = plan.steps;
    this.#bound = { fixed: bind(fixed), main: bind(main), update: bind(update) };
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
    for (const packed of weights.packed) if (packed.refresh()) rebind = true;
    if (rebind) {
      for (const bound of Object.values(this.#bound).flat())
        if ("weight" in bound.step.call) bound.run = this.#bind(bound.step);
    }
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
    for (const { step, run } of this.#bound[phase]) {
      try {
        run();
      } catch (error) {
        if (!(error instanceof WebAssembly.RuntimeError)) throw error;
        throw new EspalierError(`backend wasm, node ${step.node}: ${reason(step, error)}`);
      }
    }
  }

  /** What a run calls, in order, and the memory it takes. */
  describe(): Omit<ProgramDescription, "part"> {
    const { main, update } = this.plan.steps;
    const { arena, kept } = this.memory;
    return {
      bytes: { arena, kept, weights: this.plan.weights.bytes },
      calls: [...main, ...update].map(({ node, call }): CallDescription => {
        if ("kernel" in call) return { node, kernel: call.kernel };
        if ("run" in call) return { node, kernel: "JavaScript" };
        const { format, pattern, cost } = call.weight;
        const density = pattern.nonzero / (pattern.N * pattern.K);
        return { node, kernel: call.bind().kernel, format, density, cost };
      }),
    };
  }

  /** The calls of a phase one by one, for profiles. */
  calls(phase: Phase): readonly { readonly step: Step; readonly run: () => void }[] {
    return this.#bound[phase];
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
    let kept = 0;
    for (const [storage, { first, last }] of uses) {
      if (first < fixed.length && last >= fixed.length) {
        storage.address = this.#allocate(storage.bytes, "a constant part of the model");
        kept += storage.bytes;
      } else arena.push({ bytes: storage.bytes + slack, first, last, storage });
    }
    const placed = planArena(arena);
    const start = this.#allocate(placed.bytes, `running at batch ${plan.batchSize}`);
    // What lies in rows' padding is computed with, and must be ordinary numbers.
    heap.kernels.fill(start, placed.bytes);
    arena.forEach(({ storage }, i) => {
      storage.address = start + placed.offsets[i]!;
    });
    const constants = 4 * plan.constants.length;
    plan.constantStorage.address = this.#allocate(constants, "settings of kernels");
    heap.integers(plan.constantStorage.address, plan.constants.length).set(plan.constants);
    return { arena: placed.bytes, kept, constants };
  }

  #allocate(bytes: number, what: string): number {
    const address = this.#state.heap.allocate(bytes, what);
    this.#blocks.push(address);
    return address;
  }

  #bind({ call }: Step): () => void {
    const { heap } = this.#state;
    if ("run" in call) {
      const addresses = call.pointers.map(addressOf);
      return () => call.run(heap, addresses);
    }
    const { kernel, args } = "weight" in call ? call.bind() : (call as Call);
    const numbers = args.map((argument) => (isPointer(argument) ? addressOf(argument) : argument));
    return heap.kernels[kernel].bind(null, ...numbers) as () => void;
  }
}

const addressOf = ({ storage, bytes }: Pointer) => storage.address + bytes;

/** Kernels read a little beyond their operands. */
const slack = 64;

function reason({ call }: Step, error: Error): string {
  const isGather = "kernel" in call && call.kernel === "gather";
  return isGather
    ? "an index lies outside the axis it picks from."
    : `its kernel stopped (${error.message}). Please report this with the model.`;
}
