import type { ForecastingData } from "@espalier/datasets";
import { formatCount, formatError, plural } from "@espalier/report/text";
import { type Comparison, type Errors, type Metrics, unitsDiffer } from "@espalier/training";
import type { Colors } from "../context.ts";
import { tableLines } from "./table.ts";

/** Number of horizon steps shown in a terminal; `--json` has all. */
const shownSteps = 12;

export interface MetricsOptions {
  readonly split: string;
  readonly data: ForecastingData;
  readonly detail?: boolean | undefined;
}

/** Number of series shown without --detail. */
const shownSeries = 12;

/**
 * A table of errors, with those of forecasts that need no model for comparison; by series if their units differ. With
 * `detail`, always also by series and by step of the horizon.
 */
export function metricsLines(
  metrics: Metrics,
  { last, seasonal, season, mase }: Comparison,
  { split, data, detail = false }: MetricsOptions,
  colors: Colors,
): string[] {
  const { series, scaler } = data;
  const { original } = metrics;
  const plain = scaler.kind === "none";
  const scaled = plain ? "unscaled" : `scaled (${scaler.kind})`;
  const head = (title: string) => [title, "MSE", "MAE", "RMSE", "MASE"].map((text) => colors.bold(text));
  const differ = unitsDiffer(scaler);
  const naive = (of: "errors" | "original") => {
    const errors = (naiveMetrics: Metrics) => (of === "errors" ? naiveMetrics : naiveMetrics.original!);
    return [
      row("  the last value", errors(last), mase.last.all),
      ...(seasonal && mase.seasonal
        ? [row(`  ${seasonal.season} rows before`, errors(seasonal.errors), mase.seasonal.all)]
        : []),
    ];
  };
  const rows = [
    head(`${split} error`),
    row(scaled, metrics, mase.model.all),
    ...naive("errors"),
    ...(original === undefined || plain || differ
      ? []
      : [row("original units", original, mase.model.all), ...naive("original")]),
  ];
  const from = season === 1 ? "the row before" : `the value ${season} rows before`;
  const lines = [
    ...tableLines(rows),
    colors.dim(`over ${plural(metrics.windows, "window")}`),
    colors.dim(`MASE: the error relative to that of ${from} in training`),
  ];
  const detailed = original ?? metrics;
  const units = original === undefined ? scaled : "original units";
  const shown = detail ? series.length : Math.min(series.length, shownSeries);
  const bySeries = detailed.series
    .slice(0, shown)
    .map((errors, i) => row(series[i] ?? `${i + 1}`, errors, mase.model.series[i]!));
  const more = shown < series.length ? [colors.dim(`and ${series.length - shown} more: --detail`)] : [];
  if (detail || (differ && original !== undefined))
    lines.push("", ...tableLines([head(`by series, ${units}`), ...bySeries]), ...more);
  if (!detail) return lines;
  const steps = shownOf(detailed.steps.length).map((i) => row(formatCount(i + 1), detailed.steps[i]!));
  return [...lines, "", ...tableLines([head(`by step ahead, ${units}`).slice(0, 4), ...steps])];
}

function row(name: string, { mse, mae, rmse }: Errors, mase?: number): string[] {
  const scaled = mase === undefined ? [] : [Number.isFinite(mase) ? mase.toFixed(3) : ""];
  return [name, formatError(mse), formatError(mae), formatError(rmse), ...scaled];
}

/** The baselines as JSON data: totals, and MASE. */
export function comparisonJson({ last, seasonal, season, mase }: Comparison): object {
  const totals = ({ mse, mae, rmse, original }: Metrics) => ({
    mse,
    mae,
    rmse,
    ...(original && { original: { mse: original.mse, mae: original.mae, rmse: original.rmse } }),
  });
  const finite = (values: readonly number[]) =>
    values.map((value) => (Number.isFinite(value) ? value : null));
  return {
    season,
    mase: { all: mase.model.all, series: finite(mase.model.series) },
    naive: {
      last: { ...totals(last), mase: mase.last.all },
      ...(seasonal && { seasonal: { ...totals(seasonal.errors), mase: mase.seasonal!.all } }),
    },
  };
}

/** Evenly spaced indices that include the first and the last. */
function shownOf(total: number): number[] {
  if (total <= shownSteps) return Array.from({ length: total }, (_, i) => i);
  return Array.from({ length: shownSteps }, (_, i) => Math.round((i * (total - 1)) / (shownSteps - 1)));
}
