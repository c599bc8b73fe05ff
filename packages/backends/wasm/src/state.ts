import { Slots, type TensorSlot } from "@espalier/core/compile/inference";
import {
  countElements,
  EspalierError,
  type Snapshot,
  type State,
  type TensorData,
  type Tensors,
} from "@espalier/core/inference";
import type { Heap } from "./memory/heap.ts";

/** Storage of a tensor. Its address never changes. */
export interface Slot extends TensorSlot {
  readonly name: string;
  readonly length: number;
  readonly address: number;
}

/** Has newer numbers of some tensors than these have. */
export interface Holder {
  /** Brings the tensors up to date. */
  settle(): void;
}

/** Tensors in one linear memory, which also holds the arenas and packed weights of programs compiled for it. */
export class WasmState extends Slots<Slot> implements State {
  readonly heap: Heap;
  /** Has the newest numbers of some tensors, until it has settled: there is never more than one. */
  holder: Holder | undefined;

  private constructor(heap: Heap) {
    super();
    this.heap = heap;
  }

  static create(heap: Heap, tensors: Tensors): WasmState {
    const state = new WasmState(heap);
    try {
      for (const [name, { dtype, shape, data }] of tensors) {
        const length = countElements(shape);
        const address = heap.allocate(4 * length, `tensor "${name}"`);
        state.slots.set(name, { name, dtype, shape: [...shape], length, address, version: 0 });
        state.#store(state.slot(name), data);
      }
    } catch (error) {
      heap.dispose();
      throw error;
    }
    return state;
  }

  /** Brings all tensors up to date, unless the newest numbers are those of `but`. */
  settle(but?: Holder): void {
    if (this.holder === but) return;
    this.holder?.settle();
    this.holder = undefined;
  }

  async read(names: readonly string[] = this.names): Promise<Tensors> {
    this.settle();
    return new Map(names.map((name) => [name, this.#load(this.slot(name))]));
  }

  async write(tensors: Tensors): Promise<void> {
    this.checkReplaced(tensors);
    this.settle();
    for (const [name, { data }] of tensors) this.#store(this.slot(name), data);
  }

  async snapshot(names: readonly string[] = this.names): Promise<Snapshot> {
    const { heap } = this;
    const slots = names.map((name) => this.slot(name));
    this.settle();
    const copies = slots.map(({ name, length, address }) => {
      const copy = heap.allocate(4 * length, `a snapshot of tensor "${name}"`);
      heap.copy(address, copy, 4 * length);
      return copy;
    });
    const dispose = () => {
      for (const copy of copies.splice(0)) heap.free(copy);
    };
    return {
      restore: async () => {
        if (copies.length !== slots.length) throw new EspalierError("the snapshot is already disposed of.");
        this.settle();
        slots.forEach((slot, i) => {
          heap.copy(copies[i]!, slot.address, 4 * slot.length);
          this.touch(slot);
        });
      },
      dispose,
      [Symbol.dispose]: dispose,
    };
  }

  dispose(): void {
    this.holder = undefined;
    for (const { address } of this.slots.values()) this.heap.free(address);
    this.slots.clear();
    this.heap.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
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
