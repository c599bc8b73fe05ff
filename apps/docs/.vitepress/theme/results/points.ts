import type { RunRow, Section, Stat, TimingRow } from "../../../../../packages/report/src/section.ts";

/** One pruned model in a chart. */
export interface Point {
  readonly strategy: string;
  readonly tuning: string;
  /** The target, and whether it was reached. */
  readonly asked: string;
  readonly met: boolean;
  readonly values: Readonly<Partial<Record<MeasureKey, Stat | undefined>>>;
}

export type MeasureKey =
  | "sparsity"
  | "mse"
  | "mae"
  | "before"
  | "bytes"
  | "flops"
  | "parameters"
  | "speedup"
  | "latency";

/** Something that can be put on an axis. */
export interface Measure {
  readonly key: MeasureKey;
  readonly title: string;
  /** Depends on the chosen backend and batch. */
  readonly timed?: boolean;
  readonly log?: boolean;
  readonly format: (value: number) => string;
  readonly axis: { readonly format?: string; readonly labelExpr?: string };
  dense(section: Section, timing: readonly TimingRow[]): number | undefined;
}

const percent = "format(100 * datum.value, '.3~g') + ' %'";
/** Three significant digits. */
export const digits = (value: number): string => String(Number(value.toPrecision(3)));
const count = (value: number) =>
  value >= 1e6 ? `${digits(value / 1e6)} M` : value >= 1e3 ? `${digits(value / 1e3)} k` : digits(value);

/** Everything that was measured or counted of a pruned model. */
export const measures: readonly Measure[] = [
  {
    key: "sparsity",
    title: "Sparsity",
    format: (v) => `${(100 * v).toFixed(1)} %`,
    axis: { labelExpr: percent },
    dense: () => 0,
  },
  {
    key: "mse",
    title: "Test MSE",
    format: (v) => v.toFixed(4),
    axis: { format: ".3~g" },
    dense: ({ dense }) => dense.errors.mse.mean,
  },
  {
    key: "mae",
    title: "Test MAE",
    format: (v) => v.toFixed(4),
    axis: { format: ".3~g" },
    dense: ({ dense }) => dense.errors.mae.mean,
  },
  {
    key: "before",
    title: "Test MSE before fine-tuning",
    format: (v) => v.toFixed(4),
    axis: { format: ".3~g" },
    dense: ({ dense }) => dense.errors.mse.mean,
  },
  {
    key: "bytes",
    title: "Size, KiB",
    format: (v) => `${digits(v)} KiB`,
    axis: { format: ".3~g" },
    dense: ({ dense }) => dense.size.bytes.stored / 1024,
  },
  {
    key: "parameters",
    title: "Parameters that are not zero",
    format: count,
    axis: { format: ".3~s" },
    dense: ({ dense }) => dense.size.parameters.nonzero,
  },
  {
    key: "flops",
    title: "FLOPs a window, zeros skipped",
    format: count,
    axis: { format: ".3~s" },
    dense: ({ dense }) => dense.size.flops.effective,
  },
  {
    key: "speedup",
    title: "Times as fast as dense",
    timed: true,
    format: (v) => `${v.toFixed(2)} ×`,
    axis: { format: ".3~g" },
    dense: () => 1,
  },
  {
    key: "latency",
    title: "Milliseconds a call",
    timed: true,
    format: (v) => `${digits(v)} ms`,
    axis: { format: ".3~g" },
    dense: (_, timing) => median(timing.map((row) => row.dense.mean)),
  },
];

export function measureOf(key: MeasureKey): Measure {
  return measures.find((measure) => measure.key === key)!;
}

/** The content of the charts: a section, and the timings of one backend at one batch. */
export interface Choice {
  readonly section: Section;
  readonly backend: string | undefined;
  readonly batch: number | undefined;
}

export function timingOf({ section, backend, batch }: Choice): TimingRow[] {
  return section.timings.filter((row) => row.backend === backend && row.batch === batch);
}

/** Every pruned model of a section that there is something to say of. */
export function pointsOf(choice: Choice): Point[] {
  const timing = timingOf(choice);
  return choice.section.runs.filter(({ applicable }) => applicable).map((run) => pointOf(run, timing));
}

function pointOf(run: RunRow, timing: readonly TimingRow[]): Point {
  const timed = timing.find(
    ({ strategy, metric, asked }) =>
      strategy === run.strategy && metric === run.metric && asked === run.asked,
  );
  const exact = (mean: number): Stat => ({ mean, spread: 0 });
  return {
    strategy: run.strategy,
    tuning: run.tuning,
    asked: `${run.metric} ${Number((100 * run.asked).toFixed(1))} %`,
    met: run.met,
    values: {
      sparsity: exact(run.sparsity),
      mse: run.after.mse,
      mae: run.after.mae,
      before: run.before.mse,
      bytes: exact(run.size.bytes.stored / 1024),
      parameters: exact(run.size.parameters.nonzero),
      flops: exact(run.size.flops.effective),
      speedup: timed?.speedup,
      latency: timed?.pruned,
    },
  };
}

/** Values without repeats, in order. */
export function unique<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}

function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
