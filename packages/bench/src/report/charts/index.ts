import type { Rows, Section } from "../rows.ts";
import { errorLatency } from "./error-latency.ts";
import { errorSparsity } from "./error-sparsity.ts";
import { latency, speedup } from "./latency.ts";
import { modelSize } from "./model-size.ts";
import { parametersFlops } from "./parameters-flops.ts";
import { looksOf, type Spec } from "./theme.ts";

export type ChartName =
  | "model-size"
  | "parameters-flops"
  | "error-sparsity"
  | "speedup"
  | "latency"
  | "error-latency";

export interface Chart {
  readonly name: ChartName;
  readonly spec: Spec;
}

/** The charts of a section, of what was measured in it. `sparsity` is that of the model-size chart. */
export function chartsOf(section: Section, rows: Rows, sparsity: number): Chart[] {
  const used = new Set(section.runs.map(({ strategy }) => strategy));
  const looks = looksOf(rows.strategies).filter(({ strategy }) => used.has(strategy));
  const charts: Chart[] = [];
  if (section.runs.length > 0) {
    charts.push(
      { name: "model-size", spec: modelSize(section, looks, sparsity) },
      { name: "parameters-flops", spec: parametersFlops(section, looks) },
      { name: "error-sparsity", spec: errorSparsity(section, looks, rows.tunings) },
    );
  }
  if (section.timings.length > 0) {
    charts.push(
      { name: "speedup", spec: speedup(section, looks) },
      { name: "latency", spec: latency(section, looks) },
      { name: "error-latency", spec: errorLatency(section, looks, rows.tunings) },
    );
  }
  return charts;
}
