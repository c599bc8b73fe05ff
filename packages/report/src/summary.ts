import type { ResultRecord } from "@espalier/bench";
import { naiveText } from "./naive.ts";
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
import type { Section } from "./section.ts";
import { allowances, shownTiming, verdictsOf } from "./verdicts.ts";
import { cutMiddle, wrapText } from "./wrap.ts";

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
    ...failures.flatMap(({ what, error }) => indented(`${what}: ${error}`)),
  ];
}

function sectionLines(section: Section): string[] {
  const shown = shownTiming(section);
  const naive = naiveText(section);
  const head = ["strategy", "error within", "sparsity", "MSE", "size", "FLOPs"];
  const header = shown === undefined ? head : [...head, "speed-up"];
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
    ...wrapText(`${section.title}, ${section.lengths}`, width, "  "),
    ...indented(`dense: ${denseText(section)}`),
    ...(naive === undefined ? [] : indented(naive)),
    ...(rows.length === 0 ? [] : columns([header, ...rows])),
    ...(shown === undefined ? [] : indented(`speed-up: on ${shown.backend}, batch ${shown.batch}`)),
    ...remarksOf(section).flatMap(indented),
  ];
}

/** Columns of a terminal. */
const width = 80;

function indented(text: string): string[] {
  return wrapText(`  ${text}`, width, "    ");
}

/** Cells as aligned text, two spaces apart; the first two columns to the left, numbers to the right. */
function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  const over = widths.reduce((sum, one) => sum + one + 2, 0) - width;
  // Names give way; numbers do not.
  if (over > 0) widths[0] = Math.max(8, widths[0]! - over);
  return rows.map(([name, ...cells]) =>
    `  ${[cutMiddle(name!, widths[0]!), ...cells].map((cell, i) => (i < 2 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  ")}`.trimEnd(),
  );
}
