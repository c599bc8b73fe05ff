/** Addresses are multiples of this: a cache line. */
export const alignment = 64;

const aligned = (bytes: number) => Math.ceil(bytes / alignment) * alignment;

/** Free and taken blocks of a growing address range: first fit, neighbours joined. Knows no memory, only numbers. */
export class Blocks {
  readonly #taken = new Map<number, number>();
  /** Sorted by address. */
  readonly #free: { address: number; bytes: number }[] = [];
  #end: number;

  constructor(start: number) {
    this.#end = aligned(start);
  }

  /** The first address that was never taken. */
  get end(): number {
    return this.#end;
  }

  take(bytes: number): number {
    const size = aligned(Math.max(1, bytes));
    const at = this.#free.findIndex((block) => block.bytes >= size);
    let address: number;
    if (at >= 0) {
      const block = this.#free[at]!;
      address = block.address;
      if (block.bytes === size) this.#free.splice(at, 1);
      else this.#free[at] = { address: address + size, bytes: block.bytes - size };
    } else {
      const last = this.#free.at(-1);
      const grows = last !== undefined && last.address + last.bytes === this.#end;
      address = grows ? last.address : this.#end;
      if (grows) this.#free.pop();
      this.#end = address + size;
    }
    this.#taken.set(address, size);
    return address;
  }

  give(address: number): void {
    const bytes = this.#taken.get(address);
    if (bytes === undefined) return;
    this.#taken.delete(address);
    let at = this.#free.findIndex((block) => block.address > address);
    if (at < 0) at = this.#free.length;
    this.#free.splice(at, 0, { address, bytes });
    for (const i of [at, at - 1]) {
      const [block, next] = [this.#free[i], this.#free[i + 1]];
      if (block === undefined || next === undefined || block.address + block.bytes !== next.address) continue;
      this.#free.splice(i, 2, { address: block.address, bytes: block.bytes + next.bytes });
    }
  }
}
