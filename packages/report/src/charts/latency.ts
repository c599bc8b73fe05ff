import { quantile } from "@espalier/bench/measure";
import { formatTime } from "../numbers.ts";
import type { Section, Stat, TimingRow } from "../section.ts";
import { domainOf, type Point, panel } from "./panel.ts";
import { chart, type Look, type Spec } from "./theme.ts";
import { timingGrid } from "./timing-grid.ts";

const x = { title: "sparsity reached", format: "%", domain: [0, 1] } as const;

/** Milliseconds per call against the sparsity reached, per backend and batch size, with the dense model's. */
export function latency(section: Section, looks: readonly Look[]): Spec {
  const body = timingGrid(section, looks, {}, (rows, title, width) => {
    const dense = quantile(
      rows.map((row) => row.dense.mean),
      0.5,
    );
    return panel({
      title,
      width,
      height: 190,
      x,
      y: {
        title: "ms per call",
        format: ".3~g",
        domain: domainOf(
          rows.flatMap((row) => [row.dense.mean, ...reach(row.pruned)]),
          true,
        ),
      },
      points: rows.map((row) => point(row, row.pruned)),
      levels: [{ value: dense, spread: 0, label: `dense ${formatTime(dense)}` }],
      beside: rows.map((row) => ({ x: row.sparsity, y: row.dense.mean })),
      looks,
      tunings: [],
    });
  });
  return chart(
    "Latency per backend and batch size",
    section.title,
    `${bars} Grey ticks: the dense model, timed in turn with each.`,
    body,
  );
}

/** Speed-up over dense, timed in turn, against the sparsity reached. */
export function speedup(section: Section, looks: readonly Look[]): Spec {
  const body = timingGrid(section, looks, {}, (rows, title, width) =>
    panel({
      title,
      width,
      height: 190,
      x,
      y: {
        title: "times as fast as dense",
        format: ".3~g",
        domain: domainOf([1, ...section.timings.flatMap((row) => reach(row.speedup))], true),
      },
      points: rows.map((row) => point(row, row.speedup)),
      levels: [{ value: 1, spread: 0, label: "dense" }],
      looks,
      tunings: [],
    }),
  );
  return chart("Speed-up per backend and batch size", section.title, bars, body);
}

function point({ strategy, met, sparsity }: TimingRow, stat: Stat): Point {
  return {
    strategy,
    tuning: "",
    met,
    x: sparsity,
    y: stat.mean,
    xSpread: 0,
    ySpread: stat.spread,
    order: sparsity,
  };
}

/** The range that the frame must show: the value, and its bar unless a bad moment of the machine made that long. */
function reach({ mean, spread }: Stat): number[] {
  return [mean, mean + Math.min(spread, mean / 4)];
}

const bars = "Medians; bars: half the interquartile range, cut at the frame.";
