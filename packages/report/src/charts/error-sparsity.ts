import { formatError } from "../numbers.ts";
import type { ErrorStats, RunRow, Section, Stat } from "../section.ts";
import { legend } from "./legend.ts";
import { domainOf, type Point, panel, type Scale } from "./panel.ts";
import { chart, type Look, type Spec } from "./theme.ts";

/** MSE and MAE against the sparsity reached, with the dense line. */
export function errorSparsity(section: Section, looks: readonly Look[], tunings: readonly string[]): Spec {
  const runs = section.runs.filter(({ applicable }) => applicable);
  const tuned = runs.some(({ tuningEpochs }) => tuningEpochs > 0);
  const panels = (["mse", "mae"] as const).map((metric) => {
    const point = (run: RunRow, errors: ErrorStats): Point => ({
      strategy: run.strategy,
      tuning: run.tuning,
      met: run.met,
      x: run.sparsity,
      y: errors[metric].mean,
      xSpread: 0,
      ySpread: errors[metric].spread,
      order: run.sparsity,
    });
    const dense = section.dense.errors[metric];
    const points = runs.map((run) => point(run, run.after));
    return panel({
      width: 370,
      height: 280,
      x: { title: "sparsity reached", format: "%", domain: [0, 1] },
      y: errorScale(metric, [dense, ...runs.map(({ after }) => after[metric])]),
      points,
      faint: tuned ? runs.map((run) => point(run, run.before)) : [],
      levels: [{ value: dense.mean, spread: dense.spread, label: `dense ${formatError(dense.mean)}` }],
      looks,
      tunings,
    });
  });
  const seeds = Math.max(...runs.map(({ seeds }) => seeds.length), 1);
  const subtitle = [
    tuned ? "Marks: after fine-tuning. Dotted lines end where they leave the frame." : "Without fine-tuning.",
    ...(seeds > 1 ? [`Bars: standard deviation over ${seeds} seeds.`] : []),
  ].join(" ");
  const key = { tunings, hollow: runs.some(({ met }) => !met), before: tuned, width: 820 };
  return chart("Test error against sparsity", section.title, subtitle, {
    vconcat: [legend(looks, key), { hconcat: panels }],
    spacing: 12,
  });
}

/** An axis for errors, logarithmic if they differ by more than a factor of 3. */
export function errorScale(metric: "mse" | "mae", stats: readonly Stat[]): Scale {
  const values = stats.flatMap(({ mean, spread }) => [mean - spread, mean + spread]).filter(Number.isFinite);
  const low = Math.min(...values);
  const high = Math.max(...values);
  const name = metric.toUpperCase();
  if (low > 0 && high / low > 3) {
    return { title: `${name} (log scale)`, format: ".3~g", domain: [low * 0.85, high * 1.15], log: true };
  }
  return { title: name, format: ".3~g", domain: domainOf(values) };
}
