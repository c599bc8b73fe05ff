/** Time that a cell took. */
export interface Spent {
  readonly seconds: number;
  /** Sum over all threads. */
  readonly processorSeconds: number;
}

/** Counts the time of a cell. */
export interface Clock {
  /** Since the start, and what was added. */
  spent(): Spent;
  /** Adds the time of a process that was stopped in the cell. */
  add(earlier: Spent): void;
}

export function startClock(): Clock {
  const [start, processor] = [performance.now(), process.cpuUsage()];
  const before = { seconds: 0, processorSeconds: 0 };
  return {
    spent() {
      const { user, system } = process.cpuUsage(processor);
      return {
        seconds: before.seconds + (performance.now() - start) / 1000,
        processorSeconds: before.processorSeconds + (user + system) / 1e6,
      };
    },
    add(earlier) {
      before.seconds += earlier.seconds;
      before.processorSeconds += earlier.processorSeconds;
    },
  };
}
