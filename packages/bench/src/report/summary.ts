import { isPrune, type ResultRecord } from "../results/records.ts";

/** What a sweep found, as plain lines for a terminal. */
export function summaryLines(records: readonly ResultRecord[]): string[] {
  return records
    .filter(isPrune)
    .map(
      ({ cell, result }) =>
        `${cell.dense.model.use} on ${cell.dense.data.dataset}, ${cell.strategy.use}: ${(100 * result.sparsity).toFixed(1)} % sparse, MSE ${result.tuned.mse.toPrecision(3)} (dense ${result.dense.test.mse.toPrecision(3)})`,
    );
}
