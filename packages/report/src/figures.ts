import { atAGlance } from "./charts/at-a-glance.ts";
import { errorLatency } from "./charts/error-latency.ts";
import { errorSize, errorSizeAlt } from "./charts/error-size.ts";
import { errorSparsity } from "./charts/error-sparsity.ts";
import { latency, speedup } from "./charts/latency.ts";
import { modelSize, runsNear } from "./charts/model-size.ts";
import { parametersFlops } from "./charts/parameters-flops.ts";
import { looksOf } from "./charts/theme.ts";
import type { Figure } from "./figure.ts";
import { frontTable } from "./front.ts";
import {
  formatBytes,
  formatChange,
  formatError,
  formatShare,
  formatSpeedup,
  timingRemark,
} from "./numbers.ts";
import { partFigures } from "./parts.ts";
import type { Rows, RunRow, Section } from "./section.ts";
import { errorTable, sizeTable, timingTable } from "./tables.ts";

/** The chart of a section next to its answers. */
export function glanceOf(section: Section, rows: Rows): Figure {
  const used = new Set(section.runs.map(({ strategy }) => strategy));
  const looks = looksOf(rows.strategies).filter(({ strategy }) => used.has(strategy));
  return {
    name: `${section.slug}-at-a-glance`,
    title: `Error against size, ${section.title}`,
    spec: atAGlance(section, looks, rows.tunings),
    alt: errorSizeAlt(section),
    caption: "",
  };
}

/** The charts of a section, depending on what was measured. `sparsity` applies to the model-size chart. */
export function figuresOf(section: Section, rows: Rows, sparsity: number): Figure[] {
  const used = new Set(section.runs.map(({ strategy }) => strategy));
  const looks = looksOf(rows.strategies).filter(({ strategy }) => used.has(strategy));
  const figure = (name: string, rest: Omit<Figure, "name">): Figure => ({
    name: `${section.slug}-${name}`,
    ...rest,
  });
  const names = [...used].join(", ");
  const figures: Figure[] = [];
  if (section.runs.length > 0) {
    const { tunings } = rows;
    const compared = runsNear(section.runs, sparsity);
    figures.push(
      figure("model-size", {
        title: "Model size per strategy",
        spec: modelSize(section, looks, sparsity),
        alt: sizeAlt(section, compared),
        caption:
          "Bytes of all tensors as stored: one bit per masked weight plus the kept values. Parameters that neither a mask nor a cut removes.",
        table: sizeTable(section, compared, "Model size per strategy"),
      }),
      figure("parameters-flops", {
        title: "Parameters and FLOPs per strategy and sparsity",
        spec: parametersFlops(section, looks),
        alt: `Bars: parameters and FLOPs of ${names} at each sparsity reached, next to the dense model's. The table has the figures.`,
        caption:
          "FLOPs per window, counted like in torch.utils.flop_counter, without the products of zeros. The pale part is executed anyway by a backend without sparse kernels.",
        table: sizeTable(section, section.runs, "Parameters, FLOPs and bytes"),
      }),
      figure("error-sparsity", {
        title: "Test error against sparsity",
        spec: errorSparsity(section, looks, tunings),
        alt: errorAlt(section, names),
        caption: `Errors on the test split, in the model's units. ${trainingNote(section)}`.trim(),
        table: errorTable(section, tunings.length > 1),
      }),
    );
  }
  if (section.runs.some(({ applicable }) => applicable)) {
    figures.push(
      figure("error-size", {
        title: "Error against size: which strategy is best where",
        spec: errorSize(section, looks, rows.tunings),
        alt: errorSizeAlt(section),
        caption: "Bytes of all tensors as stored. A model off the stairs is beaten by one that is no larger.",
        table: frontTable(section, rows.tunings.length > 1),
      }),
    );
  }
  for (const { name, ...rest } of partFigures(section, looks, sparsity)) figures.push(figure(name, rest));
  if (section.timings.length > 0) {
    figures.push(
      figure("speedup", {
        title: "Speed-up per backend and batch size",
        spec: speedup(section, looks),
        alt: speedupAlt(section),
        caption: `Dense and pruned models are timed in turn in one process; the ratio is the median over rounds of dense ÷ pruned. Sparse weights are faster only on backends that skip zeros.${remark(section)}`,
      }),
      figure("latency", {
        title: "Latency per backend and batch size",
        spec: latency(section, looks),
        alt: `Marks with error bars: milliseconds per call of ${names} on each backend and batch size, and of the dense model. The table has the figures.`,
        caption: `Median of a call, including copies of inputs and outputs, on: ${devices(section)}.`,
        table: timingTable(section),
      }),
      figure("error-latency", {
        title: "Error against latency",
        spec: errorLatency(section, looks, rows.tunings),
        alt: `Marks: test MSE of ${names} against latency relative to the dense model, one panel for each backend and batch size.`,
        caption: "Latency relative to the dense model, timed in turn with it.",
      }),
    );
  }
  return figures;
}

function sizeAlt({ dense }: Section, runs: readonly RunRow[]): string {
  const parts = runs.map(({ strategy, applicable, met, sparsity, size }) => {
    if (!applicable) return `${strategy} not applicable`;
    const bytes = size.bytes.stored;
    const short = met ? "" : ` at ${formatShare(sparsity)}, short of the target`;
    return `${strategy} ${formatBytes(bytes)} (${formatChange(bytes / dense.size.bytes.stored)})${short}`;
  });
  const at = runs[0] === undefined ? "" : ` at ${runs[0].target}`;
  return `Bars: model size${at}. Dense ${[formatBytes(dense.size.bytes.stored), ...parts].join(", ")}.`;
}

function errorAlt({ dense, runs }: Section, names: string): string {
  const applicable = runs.filter((run) => run.applicable && Number.isFinite(run.after.mse.mean));
  const range = applicable.map(({ after }) => after.mse.mean);
  const span =
    range.length === 0
      ? ""
      : ` from ${formatError(Math.min(...range))} to ${formatError(Math.max(...range))}`;
  return `Lines: test MSE and MAE against the sparsity reached, of ${names}. Dense MSE ${formatError(dense.errors.mse.mean)}; pruned${span}.`;
}

function speedupAlt({ timings }: Section): string {
  const best = timings.reduce((a, b) => (b.speedup.mean > a.speedup.mean ? b : a));
  return `Marks with error bars: speed-up against the sparsity reached, per backend and batch size. Largest: ${best.strategy} at ${formatShare(best.sparsity)}, ${formatSpeedup(best.speedup.mean)} on ${best.backend} at batch ${best.batch}.`;
}

/** A note for readers: fine-tuned models have seen more training than the dense one. */
function trainingNote({ dense, runs }: Section): string {
  const maxEpochs = Math.max(0, ...runs.map(({ tuningEpochs }) => tuningEpochs));
  if (maxEpochs === 0) return "";
  return `The dense model was trained for ${epochs(dense.epochs)}; pruned ones for up to ${epochs(maxEpochs)} more, so an error below the dense line may be due to that as much as to pruning.`;
}

function epochs(count: number): string {
  return `${count} epoch${count === 1 ? "" : "s"}`;
}

function remark({ timings }: Section): string {
  const said = timingRemark(Math.max(...timings.map(({ waited }) => waited)));
  return said === undefined ? "" : ` ${said}`;
}

function devices({ timings }: Section): string {
  return [...new Set(timings.map(({ backend, device }) => `${backend} (${device})`))].join(", ");
}
