import { join } from "node:path";
import { type LatencyRecord, type PruneRecord, readResults } from "@espalier/bench";

/** What the landing page's slider runs over. */
export interface LandingFigures {
  readonly title: string;
  readonly strategy: string;
  readonly backend: string;
  readonly batch: number;
  readonly processor: string;
  /** The dense model first. */
  readonly rows: readonly {
    readonly sparsity: number;
    readonly mse: number;
    readonly bytes: number;
    readonly flops: number;
    readonly speedup: number;
  }[];
}

const shown = { model: "iTransformer", strategy: "combined", backend: "wasm", batch: 8 } as const;

/** One model, pruned by one strategy at rising sparsity, out of the committed results. */
export async function landing(root: string): Promise<LandingFigures> {
  const records = await readResults(join(root, "../../results/etth1-quick/results.jsonl"));
  const pruned = records.filter(
    (record): record is PruneRecord =>
      record.cell.kind === "prune" &&
      "result" in record &&
      record.cell.dense.model.use === shown.model &&
      record.cell.strategy.use === shown.strategy,
  );
  const timed = records.filter(
    (record): record is LatencyRecord =>
      record.cell.kind === "latency" &&
      "result" in record &&
      record.cell.backend === shown.backend &&
      record.cell.batch === shown.batch,
  );
  const first = pruned[0]!;
  const { counts, test } = first.result.dense;
  const rows = pruned.map(({ cell, result }) => {
    const timing = timed.find((record) => JSON.stringify(record.cell.pruned) === JSON.stringify(cell));
    if (timing === undefined) throw new Error(`landing: no timing of ${JSON.stringify(cell)}`);
    return {
      sparsity: result.sparsity,
      mse: result.tuned.mse!,
      bytes: result.counts.bytes.stored,
      flops: result.counts.flops.effective,
      speedup: timing.result.speedup,
    };
  });
  const { data } = first.cell.dense;
  return {
    title: `${shown.model} on ${data.dataset}, ${data.inputLength} → ${data.horizon} steps`,
    strategy: shown.strategy,
    backend: shown.backend,
    batch: shown.batch,
    processor: first.environment.processor,
    rows: [
      {
        sparsity: 0,
        mse: test.mse!,
        bytes: counts.bytes.stored,
        flops: counts.flops.effective,
        speedup: 1,
      },
      ...rows.sort((a, b) => a.sparsity - b.sparsity),
    ],
  };
}
