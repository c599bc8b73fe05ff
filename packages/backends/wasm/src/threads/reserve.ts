/** The share of elapsed time that may be lost by waiting for workers. */
const maxLost = 1 / 40;
/** Milliseconds without help at most: what kept workers from working may be over. */
const longest = 20_000;

/**
 * Decides when a thread does everything alone. Where other programs want the processors, too, a worker is often away in
 * the midst of a part, and waiting for it takes longer than to have done without. Every such loss is paid back by a time
 * without help that is 40 times as long, so that losses stay below a fortieth of all time, whatever the machine does.
 */
export class Reserve {
  #until = Number.NEGATIVE_INFINITY;

  /** Whether workers may be called upon. */
  isOver(now: number): boolean {
    return now >= this.#until;
  }

  /**
   * Learns from a set of parts, which were run before or will be again. `fastest` remembers of each set, by its first part,
   * the milliseconds in which this thread did one at best: nobody else had its processor then.
   */
  learn(now: number, fastest: Map<number, number>, { first, count, own, ownTime, time }: Shares): void {
    const known = fastest.get(first) ?? Number.POSITIVE_INFINITY;
    const each = own === 0 ? known : Math.min(known, ownTime / own);
    fastest.set(first, each);
    const lost = own === count ? 0 : time - each * count;
    if (lost > 0) this.#until = now + Math.min(longest, lost / maxLost);
  }
}

/** Who did how many parts of a set; times in milliseconds. */
export interface Shares {
  readonly first: number;
  readonly count: number;
  /** Those of the thread that asked for them. */
  readonly own: number;
  readonly ownTime: number;
  readonly time: number;
}
