import type { WasmState } from "../state.ts";
import type { Format } from "./format.ts";
import type { MaskedWeights } from "./masked-weights.ts";
import { PackedWeight } from "./packed-weight.ts";
import type { Pitches } from "./sparse-pack.ts";
import type { WeightSource } from "./weight-source.ts";

/** The packed weights of one plan. */
export class WeightStore {
  readonly #state: WasmState;
  readonly #packed = new Map<string, PackedWeight>();
  /** The packed weights that training changes instead of masked parameters. */
  masked: MaskedWeights | undefined;

  constructor(state: WasmState) {
    this.#state = state;
  }

  get packed(): Iterable<PackedWeight> {
    return this.#packed.values();
  }

  /** Bytes of all packs. */
  get bytes(): number {
    let bytes = this.masked?.bytes ?? 0;
    for (const { pack } of this.#packed.values()) bytes += pack.bytes;
    return bytes;
  }

  get(source: WeightSource, tokens: number, pitches: Pitches, formats: readonly Format[]): PackedWeight {
    const { slot, offset, N, K, ns, ks } = source;
    const key = [slot.name, offset, N, K, ns, ks, tokens, pitches.x, pitches.y].join("|");
    let packed = this.#packed.get(key);
    if (packed === undefined) {
      packed = new PackedWeight(this.#state.heap, source, tokens, pitches, formats, (slot) =>
        this.masked?.of(slot),
      );
      this.#packed.set(key, packed);
    }
    return packed;
  }

  dispose(): void {
    for (const packed of this.#packed.values()) packed.dispose();
    this.masked?.dispose();
    this.#packed.clear();
    this.masked = undefined;
  }
}
