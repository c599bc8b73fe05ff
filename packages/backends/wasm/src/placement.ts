import type { Plan } from "./compile/plan.ts";
import type { Storage } from "./compile/view.ts";
import { type Lifetime, planArena } from "./memory/arena.ts";
import type { Heap } from "./memory/heap.ts";

/** Kernels read a little beyond their operands. */
const slack = 64;

/**
 * Gives every storage of a plan an address: what lives from fixed steps on has a place of its own, the rest one in the
 * arena, of which there are as many as threads that run the plan side by side.
 */
export class Placement {
  /** Bytes of intermediate values, and of values kept between runs. */
  readonly arena: number;
  readonly kept: number;
  readonly #heap: Heap;
  readonly #blocks: number[] = [];

  /** Throws an EspalierError if memory is too small; nothing stays allocated then. */
  constructor(heap: Heap, plan: Plan, arenas: number) {
    this.#heap = heap;
    try {
      const { kept, shared } = this.#placeKept(plan);
      const placed = planArena(shared);
      this.kept = kept;
      this.arena = arenas * placed.bytes;
      const start = this.#allocate(this.arena, `running at batch ${plan.batchSize}`);
      // What lies in rows' padding is computed with, and must be ordinary numbers.
      heap.kernels.fill(start, this.arena);
      shared.forEach(({ storage }, i) => {
        storage.address = start + placed.offsets[i]!;
        storage.perThread = placed.bytes;
      });
      const { constants, constantStorage } = plan;
      constantStorage.address = this.#allocate(4 * constants.length, "settings of kernels");
      heap.integers(constantStorage.address, constants.length).set(constants);
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  dispose(): void {
    for (const block of this.#blocks.splice(0)) this.#heap.free(block);
  }

  /** Places what fixed steps leave for the others; gives what shares the arena. */
  #placeKept(plan: Plan) {
    const { fixed } = plan.steps;
    let kept = 0;
    const shared: (Lifetime & { storage: Storage })[] = [];
    for (const [storage, { first, last }] of usesOf(plan)) {
      if (first < fixed.length && last >= fixed.length) {
        storage.address = this.#allocate(storage.bytes, "a constant part of the model");
        kept += storage.bytes;
      } else shared.push({ bytes: storage.bytes + slack, first, last, storage });
    }
    return { kept, shared };
  }

  #allocate(bytes: number, what: string): number {
    const address = this.#heap.allocate(bytes, what);
    this.#blocks.push(address);
    return address;
  }
}

/** The first and the last step that touches each storage. */
function usesOf({ steps, inputs, outputs, constantStorage }: Plan) {
  const { fixed, main, update } = steps;
  const uses = new Map<Storage, { first: number; last: number }>();
  const use = (storage: Storage, at: number) => {
    if (storage.kind === "tensor" || storage === constantStorage) return;
    const known = uses.get(storage);
    if (known === undefined) uses.set(storage, { first: at, last: at });
    else {
      known.first = Math.min(known.first, at);
      known.last = Math.max(known.last, at);
    }
  };
  [...fixed, ...main, ...update].forEach(({ touches }, at) => {
    for (const { storage } of touches) use(storage, at);
  });
  for (const { view } of inputs) use(view.storage, fixed.length);
  for (const { view } of outputs) use(view.storage, fixed.length + main.length);
  return uses;
}
