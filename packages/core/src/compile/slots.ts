import type { Tensors } from "../backend.ts";
import { EspalierError } from "../errors.ts";
import { countElements } from "../graph/extent.ts";
import type { TensorData } from "../graph/tensor.ts";

/** Storage of one tensor of a state. It stays in place for the lifetime of the state. */
export interface TensorSlot {
  readonly dtype: TensorData["dtype"];
  readonly shape: readonly number[];
  /** Counts writes and updates. */
  version: number;
}

/** The tensors of a state by name, with their versions: the common part of backends that manage memory themselves. */
export abstract class Slots<S extends TensorSlot> {
  protected readonly slots: Map<string, S> = new Map();
  /** Grows with every version of every tensor, so programs can check it first. */
  generation = 0;

  get names(): readonly string[] {
    return [...this.slots.keys()];
  }

  /** The slot of a tensor, if the state has it. */
  find(name: string): S | undefined {
    return this.slots.get(name);
  }

  /** Throws an EspalierError for a tensor that the state does not have. */
  slot(name: string): S {
    const slot = this.slots.get(name);
    if (slot === undefined) throw new EspalierError(`the state has no tensor "${name}".`);
    return slot;
  }

  /** Number of writes to a tensor; 0 for an unknown one. */
  version(name: string): number {
    return this.slots.get(name)?.version ?? 0;
  }

  /** Records a write. */
  touch(slot: S): void {
    slot.version++;
    this.generation++;
  }

  /** Throws an EspalierError before anything is written if tensors differ in type or shape from those they replace. */
  protected checkReplaced(tensors: Tensors): void {
    for (const [name, { shape, dtype, data }] of tensors) {
      const old = this.slot(name);
      const fits = old.dtype === dtype && old.shape.join() === shape.join();
      if (fits && data.length === countElements(shape)) continue;
      throw new EspalierError(
        `tensor "${name}" is ${old.dtype} [${old.shape.join(", ")}], it cannot become ${dtype} [${shape.join(", ")}].`,
      );
    }
  }
}
