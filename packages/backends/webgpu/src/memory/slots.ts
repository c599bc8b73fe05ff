/** Something that needs memory from its first to its last use, both inclusive. */
export interface Lifetime {
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

export interface SlotPlan {
  /** Slot of each lifetime, in the order given. */
  readonly slotOf: readonly number[];
  /** Size of each slot. */
  readonly bytes: readonly number[];
}

/**
 * Gives lifetimes to buffers so that those which overlap in time never share one: largest first, each into the smallest
 * slot that is free (Pisarchyk and Lee, 2020, call this greedy by size for shared objects). Buffers of their own rather
 * than ranges of one: WebGPU lets no kernel read and write the same buffer under two names.
 */
export function planSlots(lifetimes: readonly Lifetime[]): SlotPlan {
  const slotOf = new Array<number>(lifetimes.length).fill(0);
  const slots: { bytes: number; lives: Lifetime[] }[] = [];
  const bySize = lifetimes
    .map((_, i) => i)
    .sort((a, b) => lifetimes[b]!.bytes - lifetimes[a]!.bytes || a - b);
  for (const i of bySize) {
    const life = lifetimes[i]!;
    let best = -1;
    for (let s = slots.length - 1; s >= 0 && best < 0; s--) {
      if (slots[s]!.lives.every(({ first, last }) => last < life.first || first > life.last)) best = s;
    }
    if (best < 0) best = slots.push({ bytes: life.bytes, lives: [] }) - 1;
    slots[best]!.lives.push(life);
    slotOf[i] = best;
  }
  return { slotOf, bytes: slots.map(({ bytes }) => bytes) };
}
