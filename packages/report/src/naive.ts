import type { SeriesErrors, TestErrors } from "@espalier/bench";
import { formatError, formatErrorStat } from "./numbers.ts";
import type { DenseRow, ErrorStats, RunRow, Section, Stat } from "./section.ts";
import type { Column, Table } from "./table.ts";
import { allowances, verdictsOf } from "./verdicts.ts";

/** Series in a table; data sets have up to hundreds. */
const most = 24;

/** A forecast that needs no model, by its name. */
interface Naive {
  readonly name: string;
  readonly errors: TestErrors;
}

/** Forecasts that need no model, which a model has to beat; none in results of earlier versions. */
export function naiveOf({ naive }: DenseRow): Naive[] {
  if (naive === undefined) return [];
  const { last, seasonal, season } = naive;
  return [
    { name: "the last value", errors: last },
    ...(seasonal === undefined ? [] : [{ name: `the value ${season} rows before`, errors: seasonal }]),
  ];
}

/** Their errors in one sentence, and whether the dense model is any better: `Without a model: …`. */
export function naiveText({ dense }: Section): string | undefined {
  const all = naiveOf(dense);
  if (all.length === 0) return undefined;
  const errors = all.map(({ name, errors: { mse } }) => `${name} has MSE ${formatError(mse)}`).join(", ");
  const better = all.filter((one) => one.errors.mse <= dense.errors.mse.mean);
  const verdict =
    better.length === 0
      ? ""
      : `; the dense model is no better than ${better.map(({ name }) => name).join(" and ")}`;
  return `without a model, ${errors}${verdict}`;
}

/** Errors of the models beside those of forecasts that need none. */
export function naiveTable(section: Section): Table | undefined {
  const { dense } = section;
  const all = naiveOf(dense);
  if (all.length === 0) return undefined;
  const row = (name: string, { mse, mae, mase }: ErrorStats) => [
    name,
    formatErrorStat(mse),
    formatErrorStat(mae),
    mase === undefined ? "" : maseText(mase),
  ];
  const from = dense.naive!.season === 1 ? "the row before" : `the value ${dense.naive!.season} rows before`;
  return {
    caption: `Errors beside those of forecasts that need no model. MASE: the error relative to that of ${from} in training; above 1 is worse`,
    columns: [{ label: "forecast" }, ...["MSE", "MAE", "MASE"].map(number)],
    rows: [
      ...all.map(({ name, errors: { mse, mae, mase } }) => [
        name,
        formatError(mse),
        formatError(mae),
        maseText({ mean: mase ?? Number.NaN, spread: 0 }),
      ]),
      row("dense", dense.errors),
      ...sparsest(section).map((run) => row(`${run.strategy} ${run.target}`, run.after)),
    ],
  };
}

/** Errors by series in original units, if their units differ. */
export function seriesTable(section: Section): Table | undefined {
  const { dense } = section;
  const { series } = dense;
  if (series === undefined) return undefined;
  const maseIn = (errors: readonly SeriesErrors[] | undefined, i: number) =>
    maseText({ mean: errors?.[i]?.mase ?? Number.NaN, spread: 0 });
  const [naive, runs] = [naiveOf(dense), sparsest(section)];
  const shown = series.slice(0, most);
  const more = shown.length < series.length ? `; ${shown.length} of ${series.length}` : "";
  return {
    caption: `Errors by series, original units${more}`,
    columns: [
      { label: "series" },
      ...["MSE", "MAE"].map((label) => ({ ...number(label), group: "dense" })),
      ...[
        "dense",
        ...naive.map(({ name }) => name),
        ...runs.map(({ strategy, target }) => `${strategy} ${target}`),
      ].map((label) => ({ ...number(label), group: "MASE" })),
    ],
    rows: shown.map(({ name, mse, mae, mase }, i) => [
      name,
      formatError(mse),
      formatError(mae),
      maseText({ mean: mase ?? Number.NaN, spread: 0 }),
      ...naive.map(({ errors }) => maseIn(errors.bySeries, i)),
      ...runs.map((run) => maseIn(run.series, i)),
    ]),
  };
}

/** The sparsest model of each strategy within the larger allowance. */
function sparsest(section: Section): RunRow[] {
  return verdictsOf(section)
    .filter(({ allowance }) => allowance === allowances.at(-1))
    .flatMap(({ run }) => (run === undefined ? [] : [run]));
}

function number(label: string): Column {
  return { label, numeric: true };
}

/** Nothing for a series that does not change. */
export function maseText({ mean, spread }: Stat): string {
  if (!Number.isFinite(mean)) return "";
  return spread > 0 ? `${mean.toFixed(3)} ± ${spread.toFixed(3)}` : mean.toFixed(3);
}
