import {
  countElements,
  EspalierError,
  type Snapshot,
  type State,
  type TensorData,
  type Tensors,
} from "@espalier/core";
import type { Heap } from "./memory/heap.ts";

/** Where a tensor lies. Its address never changes. */
export interface Slot {
  readonly name: string;
  readonly dtype: TensorData["dtype"];
  readonly shape: readonly number[];
  readonly length: number;
  readonly address: number;
  /** Counts writes and updates. */
  version: number;
}

/** Tensors in one linear memory. Programs compiled for it keep their arenas and packed weights there, too. */
export class WasmState implements State {
  readonly heap: Heap;
  readonly #slots = new Map<string, Slot>();
  /** Grows with every version of every tensor: programs look here first. */
  generation = 0;

  private constructor(heap: Heap) {
    this.heap = heap;
  }

  static create(heap: Heap, tensors: Tensors): WasmState {
    const state = new WasmState(heap);
    try {
      for (const [name, { dtype, shape, data }] of tensors) {
        const length = countElements(shape);
        const address = heap.allocate(4 * length, `tensor "${name}"`);
        state.#slots.set(name, { name, dtype, shape: [...shape], length, address, version: 0 });
        state.#store(state.slot(name), data);
      }
    } catch (error) {
      heap.dispose();
      throw error;
    }
    return state;
  }

  get names(): readonly string[] {
    return [...this.#slots.keys()];
  }

  find(name: string): Slot | undefined {
    return this.#slots.get(name);
  }

  slot(name: string): Slot {
    const slot = this.#slots.get(name);
    if (slot === undefined) throw new EspalierError(`the state has no tensor "${name}".`);
    return slot;
  }

  version(name: string): number {
    return this.#slots.get(name)?.version ?? 0;
  }

  touch(slot: Slot): void {
    slot.version++;
    this.generation++;
  }

  async read(names: readonly string[] = this.names): Promise<Tensors> {
    return new Map(names.map((name) => [name, this.#load(this.slot(name))]));
  }

  async write(tensors: Tensors): Promise<void> {
    for (const [name, { shape, dtype, data }] of tensors) {
      const slot = this.slot(name);
      if (slot.shape.join() !== shape.join() || slot.dtype !== dtype || data.length !== slot.length) {
        throw new EspalierError(
          `tensor "${name}" is ${slot.dtype} [${slot.shape.join(", ")}], it cannot become ${dtype} [${shape.join(", ")}].`,
        );
      }
    }
    for (const [name, { data }] of tensors) this.#store(this.slot(name), data);
  }

  async snapshot(names: readonly string[] = this.names): Promise<Snapshot> {
    const { heap } = this;
    const slots = names.map((name) => this.slot(name));
    const copies = slots.map(({ name, length, address }) => {
      const copy = heap.allocate(4 * length, `a snapshot of tensor "${name}"`);
      heap.copy(address, copy, 4 * length);
      return copy;
    });
    return {
      restore: async () => {
        if (copies.length !== slots.length) throw new EspalierError("the snapshot is already disposed of.");
        slots.forEach((slot, i) => {
          heap.copy(copies[i]!, slot.address, 4 * slot.length);
          this.touch(slot);
        });
      },
      dispose: () => {
        for (const copy of copies.splice(0)) heap.free(copy);
      },
    };
  }

  dispose(): void {
    for (const { address } of this.#slots.values()) this.heap.free(address);
    this.#slots.clear();
    this.heap.dispose();
  }

  #store(slot: Slot, data: Float32Array | Int32Array): void {
    const { address, length } = slot;
    if (slot.dtype === "int32") this.heap.integers(address, length).set(data);
    else this.heap.floats(address, length).set(data);
    this.touch(slot);
  }

  #load({ dtype, shape, address, length }: Slot): TensorData {
    const data =
      dtype === "int32"
        ? this.heap.integers(address, length).slice()
        : this.heap.floats(address, length).slice();
    return { dtype, shape, data };
  }
}
