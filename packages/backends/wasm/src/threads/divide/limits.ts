/** When work is divided among threads. */
export interface DivisionLimits {
  /** Nanoseconds of work that a part must have: less costs more to hand over than it saves. */
  readonly leastPart: number;
  /** Nanoseconds from which a part is divided further, into so many for each thread at most: others can take what one leaves. */
  readonly longPart: number;
  readonly maxPerThread: number;
}

export const usualLimits: DivisionLimits = { leastPart: 10_000, longPart: 60_000, maxPerThread: 4 };

/** Every call that can be divided is, however small: for tests. */
export const noLimits: DivisionLimits = { leastPart: 1, longPart: 1, maxPerThread: 2 };
