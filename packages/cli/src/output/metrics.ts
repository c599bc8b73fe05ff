import { formatCount, formatError, plural } from "@espalier/report/text";
import type { Errors, Metrics } from "@espalier/training";
import type { Colors } from "../context.ts";
import { tableLines } from "./table.ts";

/** Steps of the horizon a terminal shows; `--json` has all. */
const shownSteps = 12;

export interface MetricsOptions {
  readonly split: string;
  readonly series: readonly string[];
  /** How the values the model sees were scaled. */
  readonly scale: string;
  readonly detail?: boolean | undefined;
}

/** A table of test errors; with `detail` one by series and one by step of the horizon as well. */
export function metricsLines(metrics: Metrics, options: MetricsOptions, colors: Colors): string[] {
  const { split, series, scale, detail = false } = options;
  const { original } = metrics;
  const scaled = scale === "none" ? "as the data is" : `scaled (${scale})`;
  const head = (title: string) => [title, "MSE", "MAE", "RMSE"].map((text) => colors.bold(text));
  const rows = [
    head(`${split} error`),
    row(scaled, metrics),
    ...(original === undefined || scale === "none" ? [] : [row("original units", original)]),
  ];
  const lines = [...tableLines(rows), colors.dim(`over ${plural(metrics.windows, "window")}`)];
  if (!detail) return lines;
  const detailed = original ?? metrics;
  const bySeries = detailed.series.map((errors, i) => row(series[i] ?? `${i + 1}`, errors));
  const steps = shownOf(detailed.steps.length).map((i) => row(formatCount(i + 1), detailed.steps[i]!));
  const units = original === undefined ? scaled : "original units";
  return [
    ...lines,
    "",
    ...tableLines([head(`by series, ${units}`), ...bySeries]),
    "",
    ...tableLines([head(`by step ahead, ${units}`), ...steps]),
  ];
}

function row(name: string, { mse, mae, rmse }: Errors): string[] {
  return [name, formatError(mse), formatError(mae), formatError(rmse)];
}

/** Evenly spread indices, the first and the last among them. */
function shownOf(total: number): number[] {
  if (total <= shownSteps) return Array.from({ length: total }, (_, i) => i);
  return Array.from({ length: shownSteps }, (_, i) => Math.round((i * (total - 1)) / (shownSteps - 1)));
}
