import type { Cell } from "./cells.ts";

/** Estimates the remaining time of a sweep from finished cells; each kind of cell has its own pace. */
export interface SweepPace {
  /** Notes what a finished cell took. */
  done(cell: Cell, seconds: number): void;
  /** Seconds for some cells; undefined while nothing is known. */
  estimate(cells: readonly Cell[]): number | undefined;
}

/** A pace that knows nothing yet. */
export function createSweepPace(): SweepPace {
  const sums = new Map<string, { seconds: number; count: number }>();
  const mean = (key: string): number | undefined => {
    const sum = sums.get(key);
    return sum && sum.seconds / sum.count;
  };
  return {
    done(cell, seconds) {
      for (const key of keysOf(cell)) {
        const { seconds: before, count } = sums.get(key) ?? { seconds: 0, count: 0 };
        sums.set(key, { seconds: before + seconds, count: count + 1 });
      }
    },
    estimate(cells) {
      const known = cells.map((cell) =>
        keysOf(cell)
          .map(mean)
          .find((seconds) => seconds !== undefined),
      );
      return known.some((seconds) => seconds === undefined)
        ? undefined
        : known.reduce<number>((a, b) => a + b!, 0);
    },
  };
}

/** Keys that predict a cell's time, from the most to the least similar. */
function keysOf(cell: Cell): string[] {
  if (cell.kind === "train") return [`train ${cell.model.use}`, "train", "any"];
  if (cell.kind === "prune") return [`prune ${cell.dense.model.use}`, "prune", "any"];
  if (cell.kind === "sensitivity") return [`sensitivity ${cell.dense.model.use}`, "sensitivity", "any"];
  return [`latency ${cell.backend} ${cell.batch}`, "latency", "any"];
}
