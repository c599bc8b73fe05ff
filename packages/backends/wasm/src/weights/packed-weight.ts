import type { Call } from "../compile/call.ts";
import type { Heap } from "../memory/heap.ts";
import type { Slot } from "../state.ts";
import { chooseFormat, type Pattern } from "./cost.ts";
import { type DensePack, packDense } from "./dense-pack.ts";
import type { Format } from "./format.ts";
import {
  countBlocks,
  type MaskedValues,
  type Pitches,
  packSparse,
  type SparsePack,
  sumOf,
} from "./sparse-pack.ts";
import type { WeightSource } from "./weight-source.ts";

/** A weight in the form its product reads, kept in step with its tensor. */
export class PackedWeight {
  readonly source: WeightSource;
  /** Tokens that meet it. */
  readonly tokens: number;
  readonly pitches: Pitches;
  /** Formats that its product has kernels for. */
  readonly formats: readonly Format[];
  readonly #heap: Heap;
  readonly #maskedOf: (slot: Slot) => MaskedValues | undefined;
  #pack: DensePack | SparsePack | undefined;
  #measured: Pattern | undefined;
  #seen = -1;
  #maskSeen = -1;
  #stale = false;

  constructor(
    heap: Heap,
    source: WeightSource,
    tokens: number,
    pitches: Pitches,
    formats: readonly Format[],
    maskedOf: (slot: Slot) => MaskedValues | undefined,
  ) {
    this.#heap = heap;
    this.#maskedOf = maskedOf;
    this.source = source;
    this.tokens = tokens;
    this.pitches = pitches;
    this.formats = formats;
  }

  get pack(): DensePack | SparsePack {
    return this.#pack!;
  }

  get format(): Format {
    return this.pack.format;
  }

  get pattern(): Pattern {
    return this.#measured!;
  }

  /** Expected time of its product, in nanoseconds. */
  get cost(): number {
    return chooseFormat(this.#measured!, this.tokens, this.#heap.kernels.panelRows(), [this.format]).cost;
  }

  /** The program that reads this pack changed the weight itself, within its pattern. */
  updated(): void {
    this.#seen++;
    this.#stale = true;
  }

  /** Brings the pack up to date, by the calls it gives or at once; true where calls have to be bound anew. */
  refresh(later: (call: Call) => void): boolean {
    const { slot, pattern } = this.source;
    const mask = typeof pattern === "object" ? pattern.mask.version : 0;
    const known = this.#pack !== undefined && this.#seen === slot.version && this.#maskSeen === mask;
    // A dense pack of what stays dense takes new values where it is.
    const stays = known || (pattern === "any" && this.#pack !== undefined);
    if (stays) {
      const { refreshCall } = this.#pack!;
      if (refreshCall !== undefined && (this.#stale || !known)) later(refreshCall);
    } else {
      this.dispose();
      this.#build();
    }
    const rebind = !known && (pattern !== "any" || this.#seen < 0);
    this.#seen = slot.version;
    this.#maskSeen = mask;
    this.#stale = false;
    return rebind;
  }

  dispose(): void {
    this.#pack?.dispose();
    this.#pack = undefined;
  }

  #build(): void {
    const { source } = this;
    const { kernels } = this.#heap;
    const { slot, N, K } = source;
    const maskSlot = typeof source.pattern === "object" ? source.pattern.mask : undefined;
    const open =
      maskSlot !== undefined && kernels.opensMask(slot.length, slot.address, maskSlot.address) !== 0;
    const patternAddress = (maskSlot ?? slot).address + source.offset;
    this.#measured = { N, K, nonzero: N * K, pairs: N * K, quads: N * K };
    if (source.pattern !== "any" && !open) {
      const sizes = countBlocks(this.#heap, source, patternAddress);
      const nonzero = sumOf(sizes.rows);
      // Blocks cannot pay where there is hardly a zero.
      if (nonzero < 0.95 * N * K)
        this.#measured = { N, K, nonzero, pairs: sumOf(sizes.pairs), quads: sumOf(sizes.quads) };
      else this.#measured = { ...this.#measured, nonzero };
      const { format } = chooseFormat(this.#measured, this.tokens, kernels.panelRows(), this.formats);
      if (format !== "panels") {
        const options = {
          address: patternAddress,
          sizes: sizes[format],
          keepsSources: maskSlot !== undefined,
          masked: this.#maskedOf(slot),
        };
        this.#pack = packSparse(this.#heap, source, format, this.pitches, options);
        return;
      }
    }
    this.#pack = packDense(this.#heap, source);
  }
}
