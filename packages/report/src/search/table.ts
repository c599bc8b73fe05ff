import {
  type Findings,
  type Goal,
  limitText,
  type Measured,
  modelName,
  type TrialRecord,
} from "@espalier/search";
import { formatBytes, formatError, formatErrorStat, formatShare, plural } from "../numbers.ts";
import type { Table } from "../table.ts";

/** Names of what a goal minimizes. */
const adjectives = { error: "best", bytes: "smallest", flops: "cheapest", latency: "fastest" } as const;

/** A goal in words: `the smallest model with error ≤ +1% of the model as given`. */
export function goalText(goal: Goal): string {
  return `the ${adjectives[goal.minimize]} model with ${limitText(goal)}`;
}

/** Dense, chosen, and fixed recipes at the size of the chosen one. */
export function searchTable(result: Findings): Table {
  const { header, chosen, reference, rivals = [], tests } = result;
  const tested = new Map(tests.map((test) => [test.model, test.mse]));
  const { bytes } = header.model;
  const timed = header.dense.latency !== undefined;
  const share = (of: number) => formatShare(of, of === 1 ? 0 : 2);
  const row = (name: string, measured: Measured, test: readonly (number | undefined)[]): string[] => {
    const known = test.filter((mse) => mse !== undefined);
    const stat = { mean: meanOf(known), spread: spreadOf(known) };
    return [
      name,
      formatError(measured.validation.mse),
      ...(tests.length === 0 ? [] : [known.length === 0 ? "" : formatErrorStat(stat)]),
      formatBytes(measured.bytes * bytes),
      share(measured.bytes),
      share(measured.flops),
      ...(timed ? [formatShare(measured.latency!.share, 1)] : []),
    ];
  };
  const testOf = (trial: TrialRecord) => tested.get(modelName(trial));
  const lacking = rivals.filter(({ result: one }) => one === undefined).map(fixedName);
  const repeated = [
    { name: "the chosen recipe", trials: chosen?.trials ?? [] },
    { name: "the model trained on", trials: reference?.trials ?? [] },
  ].filter(({ trials }) => trials.length > 1);
  const seeds =
    repeated.length === 0
      ? "One seed each"
      : `For ${repeated.map(({ name }) => name).join(" and ")}: mean of ${plural(repeated[0]!.trials.length, "seed")}, test ± sample standard deviation; others: one seed`;
  return {
    caption: `Errors are mean squared errors in the model's units. ${seeds}. Shares are relative to the dense model.${lacking.length === 0 ? "" : ` Cannot have the size of the chosen one: ${lacking.join(", ")}.`}`,
    columns: [
      { label: "model" },
      { label: "validation", numeric: true },
      ...(tests.length === 0 ? [] : [{ label: "test", numeric: true }]),
      { label: "size", numeric: true },
      { label: "bytes", numeric: true },
      { label: "FLOPs", numeric: true },
      ...(timed ? [{ label: "time", numeric: true }] : []),
    ],
    rows: [
      row("dense, as given", header.dense, [tested.get("dense")]),
      ...(reference === undefined
        ? []
        : [row("dense, trained on", reference.mean, reference.trials.map(testOf))]),
      ...(chosen === undefined ? [] : [row("chosen", chosen.mean, chosen.trials.map(testOf))]),
      ...rivals.flatMap((trial) =>
        trial.result === undefined ? [] : [row(fixedName(trial), trial.result, [testOf(trial)])],
      ),
    ],
  };
}

/** `gradual-cubic at 0.0079 bytes`, without the size. */
export function fixedName({ of }: TrialRecord): string {
  return `${of}`.replace(/ at \S+ \w+$/, "");
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Sample standard deviation; 0 for fewer than two. */
function spreadOf(values: readonly number[]): number {
  if (values.length < 2) return 0;
  const mean = meanOf(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}
