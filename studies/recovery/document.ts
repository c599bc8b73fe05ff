import { type Block, type Document, formatShare, type Table } from "@espalier/report";
import { type Case, cases, choices } from "./cases.ts";
import type { RecoveryResults, RecoveryRun } from "./results.ts";

/** Mean and sample standard deviation of a case's test error, and whether the mean is within its limit. */
export interface RecoveryVerdict {
  readonly runs: readonly RecoveryRun[];
  readonly mean: number;
  readonly spread: number;
  /** Largest mean; absent for rows that promise nothing. */
  readonly limit?: number;
  /** Undefined while seeds are missing. */
  readonly met?: boolean;
}

/** What has been seen of a case; undefined where it has not been run. */
export function verdictOf(results: RecoveryResults, one: Case): RecoveryVerdict | undefined {
  const runs = results.runs.filter((run) => run.case === one.id);
  if (runs.length === 0) return undefined;
  const errors = runs.map(({ test }) => test.mse);
  const mean = errors.reduce((sum, mse) => sum + mse, 0) / errors.length;
  const squares = errors.reduce((sum, mse) => sum + (mse - mean) ** 2, 0);
  const spread = errors.length < 2 ? 0 : Math.sqrt(squares / (errors.length - 1));
  const { limit: asked } = one;
  if (asked === undefined) return { runs, mean, spread };
  const dense = results.dense.find(({ model }) => model === one.model)!.test.mse;
  const limit = "mse" in asked ? asked.mse : asked.ofDense * dense;
  const complete = one.seeds.every((seed) => runs.some((run) => run.seed === seed));
  return { runs, mean, spread, limit, ...(complete ? { met: mean <= limit } : {}) };
}

/** The study as a page: the table, what the recipe was chosen from, and every run. */
export function recoveryDocument(results: RecoveryResults): Document {
  const { environment, dense } = results;
  const text = (content: string): Block => ({ kind: "paragraph", text: content });
  const heading = (content: string): Block => ({ kind: "heading", level: 2, text: content });
  const { processor, cores, platform, node, versions, dataChecksum } = environment;
  return {
    title: "What pruning costs on ETTh1, and what comes back",
    lead: "ETTh1, 96 hours seen, 96 forecast, Time-Series-Library's protocol. Two checkpoints trained in PyTorch are pruned and fine-tuned for at most 5 epochs on the backend wasm. Errors are mean squared errors over all 2785 test windows, on standardised values: mean ± sample standard deviation of the seeds.",
    blocks: [
      { kind: "table", table: mainTable(results) },
      text(
        `Dense: ${dense.map(({ model, test, validation }) => `${model} ${three(test.mse)} on test, ${three(validation.mse)} on validation data`).join("; ")}. These checkpoints were not trained to the end: the rows that prune nothing show what the same 5 epochs give without pruning.`,
      ),
      { kind: "list", items: recipeText() },
      heading("What the recipe was chosen from"),
      text(
        "90 % of the weights masked, seed 0, which no row above has. Only validation errors decided; test errors are shown, not used. The rate is the one of three with the least mean of both models; 0.008 was tried when the rows had begun. Differences of less than 0.005 are as large as those between seeds, and decided nothing.",
      ),
      { kind: "table", table: choiceTable(results) },
      heading("Every run"),
      { kind: "table", table: everyTable(results) },
      heading("How to repeat this"),
      { kind: "code", language: "sh", text: "npx -y pnpm@12 bench:recovery --out espalier-out/recovery" },
      {
        kind: "list",
        items: [
          "A folder that has a recovery.json already is gone on with: only runs that it lacks are made. The same seed gives the same weights with the same version on the same processor; where a kernel rounds differently, fine-tuning makes of that as much as another seed does.",
          `Data: ETTh1.csv, sha256 ${dataChecksum}`,
          `${processor}, ${cores} cores, ${platform}, Node ${node}; ${Object.entries(versions)
            .map(([name, version]) => `${name} ${version}`)
            .join(", ")}`,
        ],
      },
    ],
  };
}

function recipeText(): string[] {
  return [
    "Masks: unstructured by magnitude, ranked over all weights with two or more axes, no tensor below a quarter of the average density. They tighten between steps along a cubic curve over the first 60 % of training, every 50 steps.",
    "What is removed goes at once, and the layers left are refitted to the dense outputs on 16 batches of training windows without labels (reconstruction).",
    "5 epochs of Adam: rate 0.004 after a warm-up over 5 % of the steps, then half a cosine down to a hundredth; batches of 32; half of the loss is the distance from the dense checkpoint's forecasts. The epoch with the least validation error is kept.",
  ];
}

const three = (value: number) => value.toFixed(4);

function mainTable(results: RecoveryResults): Table {
  return {
    caption: "Test MSE by what was pruned",
    columns: [
      { label: "model" },
      { label: "pruned" },
      { label: "dense", numeric: true },
      { label: "peers in PyTorch, one-shot + 2 epochs" },
      { label: "pruned, no training", numeric: true },
      { label: "reconstructed, no training", numeric: true },
      { label: "fine-tuned", numeric: true },
      { label: "to reach", numeric: true },
      { label: "" },
      { label: "weights left", numeric: true },
      { label: "FLOPs left", numeric: true },
      { label: "bytes left", numeric: true },
    ],
    rows: cases.flatMap((one) => {
      const verdict = verdictOf(results, one);
      if (verdict === undefined) return [];
      const { runs, mean, spread, limit, met } = verdict;
      const average = (of: (run: RecoveryRun) => number) =>
        runs.reduce((sum, run) => sum + of(run), 0) / runs.length;
      const untuned = (key: "pruned" | "reconstructed") =>
        runs.every((run) => run.untuned !== undefined) ? three(average((run) => run.untuned![key].mse)) : "";
      return [
        [
          one.model,
          one.what,
          three(results.dense.find(({ model }) => model === one.model)!.test.mse),
          one.peer ?? "",
          untuned("pruned"),
          untuned("reconstructed"),
          `${three(mean)} ± ${three(spread)}`,
          limit === undefined ? "" : `≤ ${three(limit)}`,
          met === undefined ? (limit === undefined ? "" : "seeds missing") : met ? "reached" : "missed",
          formatShare(
            average(({ left }) => left.nonzero),
            1,
          ),
          formatShare(
            average(({ left }) => left.flops),
            1,
          ),
          formatShare(
            average(({ left }) => left.bytes),
            1,
          ),
        ],
      ];
    }),
  };
}

function choiceTable(results: RecoveryResults): Table {
  return {
    caption: "Validation MSE of the epoch that was kept",
    columns: [
      { label: "model" },
      { label: "tuned with" },
      { label: "validation", numeric: true },
      { label: "test", numeric: true },
    ],
    rows: choices.flatMap((one) => {
      const run = results.runs.find((candidate) => candidate.case === one.id);
      return run === undefined
        ? []
        : [[one.model, one.what, three(run.validation[run.best - 1]!), three(run.test.mse)]];
    }),
  };
}

function everyTable(results: RecoveryResults): Table {
  return {
    caption:
      "Validation MSE after each epoch; the epoch kept is the best of those that are pruned to the end",
    columns: [
      { label: "case" },
      { label: "seed", numeric: true },
      { label: "validation" },
      { label: "kept", numeric: true },
      { label: "test MSE", numeric: true },
      { label: "test MAE", numeric: true },
      { label: "masked", numeric: true },
      { label: "parameters left", numeric: true },
    ],
    rows: results.runs.map((run) => [
      run.case,
      `${run.seed}`,
      run.validation.map(three).join(", "),
      `${run.best}`,
      run.test.mse.toFixed(5),
      run.test.mae.toFixed(5),
      formatShare(run.masked, 2),
      formatShare(run.left.parameters, 2),
    ]),
  };
}
