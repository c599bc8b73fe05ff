import { formatShare, type RunRow, type Section, type Table } from "@espalier/report";

/** What was published, beside what was measured here. */
export interface Claim {
  /** In the words of the work, or what it implies. */
  readonly says: string;
  readonly verdict: "holds" | "holds in part" | "does not hold" | "not measured" | "not claimed, measured";
  /** How the verdict follows from the figures. */
  readonly because: string;
  readonly figures: Table;
}

/** How much more error than the dense model's still counts as comparable, and as none. */
export const comparable = 0.05;
export const lossless = 0.01;
/** From this ratio on, beyond the spread of the measurement, a pruned model counts as faster. */
export const faster = 1.1;

/** The run of a strategy at a sparsity that was asked for, fine-tuned or not. */
export function runAt(
  { runs }: Section,
  strategy: string,
  sparsity: number,
  tuned: boolean,
): RunRow | undefined {
  return runs.find(
    (run) =>
      run.strategy === strategy &&
      run.metric === "sparsity" &&
      run.asked === sparsity &&
      run.tuningEpochs > 0 === tuned &&
      run.applicable,
  );
}

/** MSE after all that was done, as a ratio to the dense model's. */
export function errorRatio({ dense }: Section, run: RunRow): number {
  return run.after.mse.mean / dense.errors.mse.mean;
}

/** `holds` where all do, `does not hold` where none does. */
export function verdictOf(outcomes: readonly boolean[]): Claim["verdict"] {
  if (outcomes.length === 0) return "not measured";
  if (outcomes.every(Boolean)) return "holds";
  return outcomes.some(Boolean) ? "holds in part" : "does not hold";
}

/** `3 of 5 models`. */
export function countOf(outcomes: readonly boolean[], what: string): string {
  return `${outcomes.filter(Boolean).length} of ${outcomes.length} ${what}`;
}

/** 1.234 → `+23 %`, with a decimal where it is small. */
export function changeText(ratio: number): string {
  const change = ratio - 1;
  const sign = change < 0 ? "−" : "+";
  return `${sign}${formatShare(Math.abs(change), Math.abs(change) < 0.1 ? 1 : 0)}`;
}
