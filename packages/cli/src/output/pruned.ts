import { account, type Model, type PruningPlan, sparsity, type TargetReport } from "@espalier/core";
import { comparisonTable, formatShare, plural } from "@espalier/report/text";
import type { Metrics } from "@espalier/training";
import type { Colors } from "../context.ts";
import { tableLines } from "./table.ts";

interface Side {
  readonly model: Model;
  /** Of its file. */
  readonly bytes: number;
  readonly test?: Metrics | undefined;
}

/** What pruning changed. */
export interface PrunedReport {
  readonly before: Side;
  readonly after: Side;
  /** Test errors between pruning and fine-tuning, where there was any. */
  readonly pruned?: Metrics | undefined;
  readonly plan: PruningPlan;
  readonly tuningEpochs: number;
}

export function prunedLines(report: PrunedReport, colors: Colors): string[] {
  const { before, after, pruned, plan, tuningEpochs } = report;
  const side = ({ model, bytes, test }: Side) => {
    const counts = account(model);
    return { counts, sparsity: sparsity(model, counts), fileBytes: bytes, test };
  };
  const [a, b] = [side(before), side(after)];
  const { columns, rows } = comparisonTable({ before: a, after: b, untuned: pruned });
  const { target } = plan;
  const goals = target === undefined ? [] : [target, ...(target.others ?? [])];
  const wanted = goals.map(({ metric, asked }) => `${metric} ${asked}`).join(" and ");
  const asked = target === undefined ? "" : `; asked for ${wanted}`;
  const nearest = target === undefined || target.met ? "" : ", this is the nearest";
  return [
    `${colors.bold(before.model.name)}, pruned by ${plan.strategy}`,
    `sparsity ${formatShare(a.sparsity, 1)} → ${formatShare(b.sparsity, 1)} of the unpruned model${asked}${nearest}`,
    ...goals.flatMap(timedLines),
    ...(tuningEpochs > 0 ? [`fine-tuned for ${plural(tuningEpochs, "epoch")}`] : []),
    "",
    ...tableLines([columns.map(({ label }) => colors.bold(label)), ...rows]),
    ...plan.notes.map((note) => colors.dim(note)),
  ];
}

/** What a target that was measured came to; progress has shown each try, and JSON and the plan keep them. */
function timedLines({ achieved, measured }: TargetReport): string[] {
  if (measured === undefined) return [];
  const { on, spread, tries } = measured;
  const found = plural(tries.length, "measurement");
  return [
    `${formatShare(achieved, 1)} of the unpruned time on ${on}, ± ${formatShare(spread, 1)}, found in ${found}`,
  ];
}

export function prunedJson({ before, after, pruned, plan, tuningEpochs }: PrunedReport): object {
  const side = ({ model, bytes, test }: Side) => {
    const counts = account(model);
    return { ...counts, sparsity: sparsity(model, counts), fileBytes: bytes, ...(test && { test }) };
  };
  const { strategy, target, notes, steps } = plan;
  return {
    model: before.model.name,
    strategy,
    ...(target && { target }),
    steps: steps.length,
    notes,
    before: side(before),
    ...(pruned && { prunedTest: pruned }),
    after: side(after),
    tuningEpochs,
  };
}
