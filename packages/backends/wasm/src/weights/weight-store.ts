import type { View } from "../compile/view.ts";
import type { Slot, WasmState } from "../state.ts";
import { prefersMaskedGradient } from "./cost.ts";
import type { Format } from "./format.ts";
import { PackedWeight } from "./packed-weight.ts";
import { countBlocks, type Pitches, packSparse, type SparsePack, sumOf } from "./sparse-pack.ts";
import type { WeightSource } from "./weight-source.ts";

/** The open positions of a mask, row by row, with room for one gradient each. */
export type MaskedRows = SparsePack;

/** The packed weights of one plan. */
export class WeightStore {
  readonly #state: WasmState;
  readonly #packed = new Map<string, PackedWeight>();
  readonly #masked: MaskedRows[] = [];

  constructor(state: WasmState) {
    this.#state = state;
  }

  get packed(): Iterable<PackedWeight> {
    return this.#packed.values();
  }

  /** Bytes of all packs. */
  get bytes(): number {
    let bytes = 0;
    for (const { pack } of this.#packed.values()) bytes += pack.bytes;
    for (const rows of this.#masked) bytes += rows.bytes;
    return bytes;
  }

  get(source: WeightSource, vectors: number, pitches: Pitches, formats: readonly Format[]): PackedWeight {
    const { slot, offset, N, K, ns, ks } = source;
    const key = [slot.name, offset, N, K, ns, ks, vectors, pitches.x, pitches.y].join("|");
    let packed = this.#packed.get(key);
    if (packed === undefined) {
      packed = new PackedWeight(this.#state.heap, source, vectors, pitches, formats);
      this.#packed.set(key, packed);
    }
    return packed;
  }

  /** Rows of a mask over a parameter seen as W[k, n]; undefined if all gradients cost less than those alone. */
  masked(parameter: Slot, mask: Slot, matrix: View, pitch: number, tokens: number): MaskedRows | undefined {
    const [K, N] = matrix.shape as [number, number];
    const [ks, ns] = matrix.strides as [number, number];
    const { heap } = this.#state;
    const source: WeightSource = {
      slot: parameter,
      offset: 4 * matrix.offset,
      ...{ N, K, ns: 4 * ns, ks: 4 * ks },
      pattern: { mask },
    };
    const address = mask.address + source.offset;
    const sizes = countBlocks(heap, source, address).rows;
    const closed = heap.kernels.opensMask(parameter.length, parameter.address, mask.address) === 0;
    if (!closed || !prefersMaskedGradient(sumOf(sizes) / (N * K), tokens)) return undefined;
    const options = { address, sizes, keepsSources: true };
    const rows = packSparse(heap, source, "rows", { x: pitch, y: pitch }, options);
    this.#masked.push(rows);
    return rows;
  }

  dispose(): void {
    for (const packed of this.#packed.values()) packed.dispose();
    for (const rows of this.#masked) rows.dispose();
    this.#packed.clear();
    this.#masked.length = 0;
  }
}
