import type { Storage } from "../compile/view.ts";
import type { Holder, Slot } from "../state.ts";
import type { MaskedWeight } from "./masked-weight.ts";
import type { PackedWeight } from "./packed-weight.ts";

/** The part of a plan that is read here. */
interface Reads {
  readonly steps: Readonly<Record<string, readonly { readonly touches: readonly Stored[] }[]>>;
  readonly outputs: readonly { readonly view: Stored }[];
  readonly weights: { readonly packed: Iterable<PackedWeight> };
}

interface Stored {
  readonly storage: Storage;
}

/** The weights of one plan that training changes only where their masks are open. */
export class MaskedWeights implements Holder {
  readonly #weights = new Map<Slot, MaskedWeight>();

  add(weight: MaskedWeight): void {
    this.#weights.set(weight.slots.parameter, weight);
  }

  of(parameter: Slot): MaskedWeight | undefined {
    return this.#weights.get(parameter);
  }

  get bytes(): number {
    let bytes = 0;
    for (const weight of this.#weights.values()) bytes += weight.bytes;
    return bytes;
  }

  /** Before a run of the plan: takes over what was written from outside, and brings tensors up to date that the run reads. */
  refresh(plan: Reads): void {
    const read = tensorsRead(plan);
    for (const weight of this.#weights.values()) {
      weight.refresh();
      weight.settle((slot) => read.has(slot.name));
    }
  }

  /** After a step. */
  updated(): void {
    for (const weight of this.#weights.values()) weight.updated();
  }

  settle(): void {
    for (const weight of this.#weights.values()) weight.settle();
  }

  dispose(): void {
    for (const weight of this.#weights.values()) weight.dispose();
  }
}

/** Names of the tensors that steps, outputs or dense packs read themselves. */
function tensorsRead({ steps, outputs, weights }: Reads): ReadonlySet<string> {
  const names = new Set<string>();
  const touched = Object.values(steps).flatMap((list) => list.flatMap(({ touches }) => touches));
  for (const { storage } of [...touched, ...outputs.map(({ view }) => view)])
    if (storage.kind === "tensor") names.add(storage.name!);
  for (const { format, source } of weights.packed) if (format === "panels") names.add(source.slot.name);
  return names;
}
