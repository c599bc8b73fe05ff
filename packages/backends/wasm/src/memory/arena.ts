import { alignment } from "./blocks.ts";

/** Something that needs memory from its first to its last use, both inclusive. */
export interface Lifetime {
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

export interface ArenaPlan {
  /** Start of each, in the order given. */
  readonly offsets: readonly number[];
  readonly bytes: number;
}

/**
 * Places lifetimes in one block so that those that overlap in time do not overlap in space: largest first, each at the
 * lowest place that is free (Pisarchyk and Lee, 2020, call this greedy by size).
 */
export function planArena(lifetimes: readonly Lifetime[]): ArenaPlan {
  const offsets = new Array<number>(lifetimes.length).fill(0);
  const placed: { offset: number; end: number; life: Lifetime }[] = [];
  const bySize = lifetimes
    .map((_, i) => i)
    .sort((a, b) => lifetimes[b]!.bytes - lifetimes[a]!.bytes || a - b);
  let bytes = 0;
  for (const i of bySize) {
    const life = lifetimes[i]!;
    const size = Math.ceil(life.bytes / alignment) * alignment;
    let offset = 0;
    for (const other of placed) {
      if (other.life.last < life.first || other.life.first > life.last) continue;
      if (offset + size <= other.offset) break;
      offset = Math.max(offset, other.end);
    }
    offsets[i] = offset;
    bytes = Math.max(bytes, offset + size);
    const at = placed.findIndex((other) => other.offset > offset);
    placed.splice(at < 0 ? placed.length : at, 0, { offset, end: offset + size, life });
  }
  return { offsets, bytes };
}
