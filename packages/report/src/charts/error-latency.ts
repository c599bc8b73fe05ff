import { quantile } from "@espalier/bench/measure";
import { formatTime } from "../numbers.ts";
import type { Section, TimingRow } from "../section.ts";
import { errorScale } from "./error-sparsity.ts";
import { domainOf, type Point, panel } from "./panel.ts";
import { chart, type Look, type Spec } from "./theme.ts";
import { timingGrid } from "./timing-grid.ts";

/**
 * Test error against latency, per backend and batch size. Latency is relative to the dense model, timed in turn, so
 * that other work on the machine cancels out.
 */
export function errorLatency(section: Section, looks: readonly Look[], tunings: readonly string[]): Spec {
  const { runs, timings } = section;
  const denseError = section.dense.errors.mse;
  const all = timings.flatMap((row) => pointsOf(row, section));
  const body = timingGrid(section, looks, { tunings }, (rows, title, width) => {
    const dense = quantile(
      rows.map((row) => row.dense.mean),
      0.5,
    );
    return panel({
      title: `${title} (dense ${formatTime(dense)})`,
      width,
      height: 220,
      x: {
        title: "latency, dense = 1",
        format: ".2~f",
        domain: domainOf([1.05, ...all.map((point) => point.x)], true),
      },
      y: errorScale("mse", [denseError, ...runs.filter((r) => r.applicable).map(({ after }) => after.mse)]),
      points: rows.flatMap((row) => pointsOf(row, section)),
      levels: [{ value: denseError.mean, spread: 0, label: "" }],
      plumb: 1,
      looks,
      tunings,
    });
  });
  return chart(
    "Error against latency",
    section.title,
    "Best is bottom left. Lines go from the least to the most sparse; bars: half the interquartile range.",
    body,
  );
}

/** A timing is valid for every fine-tuning: none changes a shape or a mask. */
function pointsOf({ strategy, target, speedup }: TimingRow, { runs }: Section): Point[] {
  return runs
    .filter((run) => run.strategy === strategy && run.target === target)
    .map((run) => ({
      strategy,
      tuning: run.tuning,
      met: run.met,
      x: 1 / speedup.mean,
      y: run.after.mse.mean,
      xSpread: speedup.spread / speedup.mean ** 2,
      ySpread: run.after.mse.spread,
      order: run.sparsity,
    }));
}
