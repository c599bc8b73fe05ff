import {
  type Cell,
  cellId,
  denseCell as denseCellOf,
  type Files,
  type LatencyRecord,
  type PruneCell,
  type PruneRecord,
  type ResultRecord,
  type StrategyCell,
  type TestErrors,
  type TrainCell,
  type TrainRecord,
} from "@espalier/bench";
import type { Accounting, Target } from "@espalier/core";

/** A name as a user's file may have it: mark-up in HTML and in Markdown. */
export const hostile = "C:\\data\\<img src=x onerror=alert(1)>_|`*.csv";

const environment = {
  date: "2026-11-24T05:30:39.479Z",
  processor: "Example CPU 3000",
  cores: 2,
  platform: "linux x64",
  node: "v24.21.0",
  versions: { espalier: "1.0.0", "@tensorflow/tfjs": "4.22.0" },
};
const checksums = new Map([
  ["synthetic", "63a89875bf09501491bb772677658770cce70af856bc20de8c999b976c6489d2"],
  [hostile, "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"],
]);

export function denseCell(dataset = "synthetic", seed = 0): TrainCell {
  return {
    kind: "train",
    model: { use: "iTransformer", width: 64, heads: 4 },
    data: { dataset, inputLength: 96, horizon: 24, scale: "standard" },
    training: { epochs: 3, learningRate: 0.002 },
    seed,
    backend: "tfjs-wasm",
  };
}

function counts(total: number, nonzero: number): Accounting {
  return {
    parameters: { total, live: total, dead: 0, nonzero },
    flops: { total: total * 14, dead: 0, effective: nonzero * 14 },
    bytes: { dense: total * 4, stored: nonzero * 4 + (total === nonzero ? 0 : Math.ceil(total / 8)) },
  };
}

function errors(mse: number): TestErrors {
  return { mse, mae: 0.8 * Math.sqrt(mse), rmse: Math.sqrt(mse) };
}

/** With what results of earlier versions lack, which those of other data sets here do, too. Only the first series changes. */
function scaledErrors(mse: number, dataset: string): TestErrors {
  if (dataset !== "synthetic") return errors(mse);
  const mase = Number((2.7 * Math.sqrt(mse)).toFixed(4));
  const bySeries = ["load", "price"].map((name, i) => ({
    name,
    mse: Number((1000 ** i * mse).toPrecision(6)),
    mae: Number((30 ** i * mase).toPrecision(6)),
    mase: i === 0 ? mase : null,
  }));
  return { ...errors(mse), mase, bySeries };
}

const parameters = 75_000;
/** Repeating the last season is better than the dense model. */
const naive = {
  season: 24,
  last: scaledErrors(0.9, "synthetic"),
  seasonal: scaledErrors(0.11, "synthetic"),
};
const denseErrors = (seed: number, dataset: string): TestErrors => scaledErrors(0.13 + 0.002 * seed, dataset);

function envelope<C extends Cell>(cell: C, dataset: string) {
  return {
    format: 1 as const,
    id: cellId(cell, checksums),
    cell,
    environment: { ...environment, dataChecksum: checksums.get(dataset)! },
    seconds: 1.5,
  };
}

export function trainRecord(dense: TrainCell): TrainRecord {
  const result = {
    test: denseErrors(dense.seed, dense.data.dataset),
    ...(dense.data.dataset === "synthetic" && { naive }),
    epochs: 3,
    counts: counts(parameters, parameters),
    ...filesOf(counts(parameters, parameters), denseErrors(dense.seed, dense.data.dataset), dense),
    digest: `dense ${dense.seed}`,
  };
  return { ...envelope(dense, dense.data.dataset), result };
}

/** Files as they might come out, with errors of rounded weights; results of earlier versions, as of the other data set, lack them. */
function filesOf({ bytes }: Accounting, test: TestErrors, { data }: TrainCell): { files?: Files } {
  if (data.dataset !== "synthetic") return {};
  const float32 = bytes.stored + 6000;
  const { mse, mae, rmse } = test;
  return {
    files: {
      bytes: { float32, int8: Math.round(0.23 * float32) },
      errors: { int8: { mse: 1.001 * mse, mae, rmse } },
    },
  };
}

interface PruneOptions {
  /** What is reached; the target by default. */
  readonly sparsity?: number;
  /** Masks weights, or removes them. */
  readonly masks?: boolean;
  readonly why?: string;
  /** Why there is nothing to prune. */
  readonly notes?: readonly string[];
  readonly fineTuning?: StrategyCell["fineTuning"];
}

export function pruneCell(
  dense: TrainCell,
  use: string,
  target: Target,
  fineTuning: StrategyCell["fineTuning"] = { epochs: 1 },
): StrategyCell {
  return { kind: "prune", dense, strategy: { use }, target, fineTuning };
}

export function pruneRecord(
  cell: StrategyCell,
  options: PruneOptions = {},
): PruneRecord & { readonly cell: StrategyCell } {
  const [metric, asked] = Object.entries(cell.target)[0] as [string, number];
  const { sparsity = asked, masks = false, why, notes = [] } = options;
  const kept = Math.round(parameters * (1 - sparsity));
  const after = counts(masks ? parameters : kept, kept);
  const base = denseErrors(cell.dense.seed, cell.dense.data.dataset).mse;
  const tuned = scaledErrors(base * (0.97 + (masks ? 0.1 : 0.3) * sparsity ** 2), cell.dense.data.dataset);
  const result: PruneRecord["result"] = {
    applicable: notes.length === 0,
    notes,
    target: {
      metric,
      asked,
      achieved: sparsity,
      met: why === undefined,
      ...(why === undefined ? {} : { why }),
    },
    sparsity,
    expected: {
      parameters: after.parameters.total,
      nonzero: kept,
      flops: after.flops.effective,
      bytes: after.bytes.stored,
    },
    counts: after,
    dense: {
      counts: counts(parameters, parameters),
      test: denseErrors(cell.dense.seed, cell.dense.data.dataset),
    },
    pruned: errors(base * (1 + 5 * sparsity ** 2)),
    tuned,
    ...filesOf(after, tuned, cell.dense),
    tuningEpochs: cell.fineTuning.epochs,
    planSeconds: 0.02,
    digest: `${cell.strategy.use} ${asked}`,
  };
  return { ...envelope(cell, cell.dense.data.dataset), result };
}

export function latencyRecord(
  pruned: PruneCell,
  backend: string,
  batch: number,
  speedup: number,
  sparsity: number,
): LatencyRecord {
  const cell = { kind: "latency" as const, pruned, backend, batch, latency: { time: 100, samples: 10 } };
  const median = (backend === "tfjs-cpu" ? 3 : 0.7) * batch;
  const result = {
    device: `${backend} on an example`,
    dense: { median, spread: median / 20, samples: 40 },
    pruned: { median: median / speedup, spread: median / speedup / 10, samples: 44 },
    speedup,
    speedupSpread: 0.05,
    sparsity,
  };
  return { ...envelope(cell, pruned.dense.data.dataset), result };
}

export function failureRecord(cell: Cell, error: string): ResultRecord {
  return { ...envelope(cell, denseCellOf(cell).data.dataset), error };
}

const tooMuch = 'with everything that "head" may remove, 67.0 % of the parameters remain';
const noHeads = "there is no attention head in this model";

/**
 * Two data sets. The first has two seeds, masks and cuts, a target out of reach, two backends, and two batch sizes on one of them; the
 * second a hostile name, a strategy that does not apply, and cells that failed.
 */
export const records: readonly ResultRecord[] = [...firstSection(), ...secondSection()];

function firstSection(): ResultRecord[] {
  return [0, 1].flatMap((seed) => {
    const dense = denseCell("synthetic", seed);
    const runs = [0.5, 0.9].flatMap((sparsity) => [
      pruneRecord(pruneCell(dense, "unstructured", { sparsity }), { masks: true }),
      pruneRecord(pruneCell(dense, "channel", { sparsity }), { sparsity: sparsity + 0.002 }),
      pruneRecord(pruneCell(dense, "head", { sparsity }), { sparsity: 0.33, why: tooMuch }),
    ]);
    const timings = runs.flatMap(({ cell, result: { sparsity } }) => {
      const speedup = cell.strategy.use === "unstructured" ? 1 : 1 / (1 - sparsity) ** 0.5;
      return (
        [
          ["tfjs-wasm", 1],
          ["tfjs-wasm", 8],
          ["tfjs-cpu", 1],
        ] as const
      ).map(([backend, batch]) => latencyRecord(cell, backend, batch, speedup + 0.02 * seed, sparsity));
    });
    return [trainRecord(dense), ...runs, ...timings];
  });
}

function secondSection(): ResultRecord[] {
  const dense = denseCell(hostile);
  const masked = pruneCell(dense, "unstructured", { sparsity: 0.5 });
  return [
    trainRecord(dense),
    pruneRecord(masked, { masks: true }),
    pruneRecord(pruneCell(dense, "head", { sparsity: 0.5 }), { sparsity: 0, why: noHeads, notes: [noHeads] }),
    failureRecord(pruneCell(dense, "channel", { sparsity: 0.5 }), "the disk is full"),
    failureRecord(
      { kind: "latency", pruned: masked, backend: "tfjs-cpu", batch: 1, latency: { time: 100, samples: 10 } },
      "backend tfjs-cpu is not available: <no> reason",
    ),
  ];
}
