import type { Model } from "../model/model.ts";
import { account, sparsity } from "./account.ts";

/**
 * Summarises the effect of pruning as a table of plain text: parameters, FLOPs and bytes of both models, and the share
 * that is left.
 *
 * ```
 *
 *                          before       after   left
 * parameters              109,208      62,360    57 %
 * not zero                109,208      21,846    20 %
 * FLOPs, zeros skipped  1,527,120     322,960    21 %
 * bytes as stored         436,832      95,180    22 %
 * sparsity                    0 %        80 %
 * ```
 *
 */
export function summary(before: Model, after: Model): string {
  const [a, b] = [account(before), account(after)];
  const rows: readonly (readonly [string, number, number])[] = [
    ["parameters", a.parameters.total, b.parameters.total],
    ...(a.parameters.dead > 0 ? [["of them dead", a.parameters.dead, b.parameters.dead] as const] : []),
    ["not zero", a.parameters.nonzero, b.parameters.nonzero],
    ["FLOPs, zeros skipped", a.flops.effective, b.flops.effective],
    ["bytes as stored", a.bytes.stored, b.bytes.stored],
  ];
  const cells = [
    ["", "before", "after", "left"],
    ...rows.map(([name, from, to]) => [name, count(from), count(to), percent(to / from)]),
    ["sparsity", percent(sparsity(before, a)), percent(sparsity(after, b)), ""],
  ];
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  return cells
    .map((row) =>
      row
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function count(n: number): string {
  return n.toLocaleString("en-US");
}

function percent(share: number): string {
  return Number.isFinite(share) ? `${(100 * share).toFixed(0)} %` : "";
}
