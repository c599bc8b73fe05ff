import type { ResultRecord } from "@espalier/bench";
import {
  formatBytes,
  formatChange,
  formatError,
  formatErrorStat,
  formatFlops,
  formatShare,
  formatShort,
  formatSpeedupStat,
} from "./numbers.ts";
import { rowsOf } from "./rows.ts";
import type { RunRow, Section, TimingRow } from "./section.ts";

/** Allowed increases of a pruned model's error over the dense model's, as shares. */
export const allowances: readonly number[] = [0.01, 0.05];

/** The sparsest model of a strategy whose error is within an allowance of the dense one's. */
export interface Verdict {
  readonly strategy: string;
  readonly allowance: number;
  /** Undefined if none of the tried models is. */
  readonly run?: RunRow;
  readonly timings: readonly TimingRow[];
}

/** The answer that most readers look for: how far can each strategy prune? By MSE, after fine-tuning. */
export function verdictsOf(section: Section): Verdict[] {
  const applicable = section.runs.filter((run) => run.applicable);
  const strategies = [...new Set(applicable.map(({ strategy }) => strategy))];
  return strategies.flatMap((strategy) =>
    allowances.map((allowance): Verdict => {
      const limit = (1 + allowance) * section.reference;
      const run = applicable
        .filter((r) => r.strategy === strategy && r.after.mse.mean <= limit)
        .reduce<RunRow | undefined>(
          (a, b) => (a !== undefined && a.sparsity >= b.sparsity ? a : b),
          undefined,
        );
      if (run === undefined) return { strategy, allowance, timings: [] };
      return { strategy, allowance, run, timings: timingsOf(section, run) };
    }),
  );
}

/** The timings of a run's model; fine-tuning changes none. */
export function timingsOf({ timings }: Section, run: RunRow): TimingRow[] {
  return timings.filter(({ strategy, target }) => strategy === run.strategy && target === run.target);
}

/** The only speed-up shown if there is room for one: that of the first backend, at its largest batch. */
export function shownTiming({ timings }: Section): { backend: string; batch: number } | undefined {
  const [first] = timings;
  if (first === undefined) return undefined;
  const batches = timings.filter(({ backend }) => backend === first.backend).map(({ batch }) => batch);
  return { backend: first.backend, batch: Math.max(...batches) };
}

/** A dense model in one line. */
export function denseText({ dense: { size, errors, seeds } }: Section): string {
  const dead = size.parameters.dead > 0 ? ` (${formatShort(size.parameters.dead)} of them dead)` : "";
  return [
    `MSE ${formatErrorStat(errors.mse)}`,
    `MAE ${formatErrorStat(errors.mae)}`,
    `${formatShort(size.parameters.total)} parameters${dead}`,
    formatBytes(size.bytes.stored),
    `${formatFlops(size.flops.total)} per window`,
    ...(seeds.length > 1 ? [`${seeds.length} seeds`] : []),
  ].join(", ");
}

/** Remarks that a report must include: strategies that do not apply, and targets that were not reached. */
export function remarksOf({ runs }: Section): string[] {
  const strategies = [...new Set(runs.map(({ strategy }) => strategy))];
  return strategies.flatMap((strategy) => {
    const own = runs.filter((run) => run.strategy === strategy);
    const out = own.find(({ applicable }) => !applicable);
    if (out !== undefined)
      return [`${strategy}: not applicable: ${out.reasons.join("; ") || "nothing to prune"}`];
    const missed = own.filter(({ met }) => !met);
    if (missed.length === 0) return [];
    const best = missed.reduce((a, b) => (b.sparsity > a.sparsity ? b : a));
    return [
      `${strategy}: ${missed.length} of ${own.length} targets not reached, at most ${formatShare(best.sparsity, 1)} sparsity: ${best.reasons.join("; ")}`,
    ];
  });
}

/** The results of a sweep as plain lines for a terminal. */
export function summaryLines(
  records: readonly ResultRecord[],
  references?: Readonly<Record<string, number>>,
): string[] {
  const { sections, failures } = rowsOf(records, references);
  if (sections.length === 0 && failures.length === 0) return ["There are no results."];
  return [
    ...sections.flatMap((section, i) => [...(i === 0 ? [] : [""]), ...sectionLines(section)]),
    ...(failures.length === 0
      ? []
      : ["", `${failures.length} cell${failures.length === 1 ? "" : "s"} failed:`]),
    ...failures.map(({ what, error }) => `  ${what}: ${error}`),
  ];
}

function sectionLines(section: Section): string[] {
  const shown = shownTiming(section);
  const head = ["strategy", "error within", "sparsity", "MSE", "size", "FLOPs"];
  const header = shown === undefined ? head : [...head, `speed-up (${shown.backend}, batch ${shown.batch})`];
  const rows = verdictsOf(section).map(({ strategy, allowance, run, timings }) => {
    const lead = [allowance === allowances[0] ? strategy : "", formatShare(allowance)];
    if (run === undefined) return [...lead, "none"];
    const { size, sparsity, after } = run;
    const timing = timings.find(({ backend, batch }) => backend === shown?.backend && batch === shown.batch);
    return [
      ...lead,
      formatShare(sparsity),
      formatError(after.mse.mean),
      formatChange(size.bytes.stored / section.dense.size.bytes.stored),
      formatChange(size.flops.effective / section.dense.size.flops.effective),
      ...(timing === undefined ? [] : [formatSpeedupStat(timing.speedup)]),
    ];
  });
  return [
    `${section.title}, ${section.lengths}`,
    `  dense: ${denseText(section)}`,
    ...(rows.length === 0 ? [] : columns([header, ...rows])),
    ...remarksOf(section).map((remark) => `  ${remark}`),
  ];
}

/** Cells as aligned text, two spaces apart; the first two columns to the left, numbers to the right. */
function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  return rows.map((row) =>
    `  ${row.map((cell, i) => (i < 2 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  ")}`.trimEnd(),
  );
}
