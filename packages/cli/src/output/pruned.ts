import { account, type Model, sparsity, type TargetReport } from "@espalier/core";
import type { StepOutcome } from "@espalier/recipe";
import { comparisonTable, formatShare, plural } from "@espalier/report/text";
import type { Metrics } from "@espalier/training";
import type { Colors } from "../context.ts";
import type { Rounding } from "../shared/rounding.ts";
import { roundingLines } from "./exported.ts";
import { headingLines, tableLines, textLines } from "./table.ts";

interface Side {
  readonly model: Model;
  /** Size of the model's file in bytes. */
  readonly bytes: number;
  readonly test?: Metrics | undefined;
}

/** The effect of pruning. */
export interface PrunedReport {
  readonly before: Side;
  readonly after: Side;
  /** Test errors after pruning and before fine-tuning, if there was any. */
  readonly pruned?: Metrics | undefined;
  readonly steps: readonly StepOutcome[];
  /** The effect of storing weights in fewer bytes, and the size of that file. */
  readonly stored?: { readonly rounding: Rounding; readonly bytes: number } | undefined;
}

/** All plans combined: their strategies in order, and the last one's target. */
function summed(steps: readonly StepOutcome[]) {
  const plans = steps.flatMap(({ plan }) => (plan === undefined ? [] : [plan]));
  return {
    strategy: [...new Set(plans.map((plan) => plan.strategy))].join(", then "),
    target: plans.at(-1)?.target,
    notes: [...new Set(plans.flatMap((plan) => plan.notes))],
    changes: plans.reduce((sum, plan) => sum + plan.steps, 0),
    tuningEpochs: steps.reduce((sum, { does, fit }) => sum + (does === "tune" ? fit!.epochs.length : 0), 0),
  };
}

export function prunedLines(report: PrunedReport, colors: Colors): string[] {
  const { before, after, pruned, steps, stored } = report;
  const { strategy, target, notes, tuningEpochs } = summed(steps);
  const side = ({ model, bytes, test }: Side) => {
    const counts = account(model);
    return { counts, sparsity: sparsity(model, counts), fileBytes: bytes, test };
  };
  const [a, b] = [side(before), side(after)];
  const { columns, rows } = comparisonTable({ before: a, after: b, untuned: pruned });
  const goals = target === undefined ? [] : [target, ...(target.others ?? [])];
  const wanted = goals.map(({ metric, asked }) => `${metric} ${asked}`).join(" and ");
  const asked = target === undefined ? "" : `; asked for ${wanted}`;
  const nearest = target === undefined || target.met ? "" : " (the nearest possible)";
  return [
    ...headingLines(before.model.name, `, pruned by ${strategy}`, colors),
    ...textLines(
      `sparsity ${formatShare(a.sparsity, 1)} → ${formatShare(b.sparsity, 1)} of the unpruned model${asked}${nearest}`,
    ),
    ...goals.flatMap(timedLines),
    ...(tuningEpochs > 0 ? [`fine-tuned for ${plural(tuningEpochs, "epoch")}`] : []),
    "",
    ...tableLines([columns.map(({ label }) => colors.bold(label)), ...rows]),
    ...(stored === undefined
      ? []
      : ["", ...roundingLines(stored.rounding, colors, { before: after.bytes, after: stored.bytes })]),
    ...notes.flatMap(textLines).map(colors.dim),
  ];
}

/** The result of a measured target; progress has shown each try, and the JSON and the plan record them. */
function timedLines({ achieved, measured }: TargetReport): string[] {
  if (measured === undefined) return [];
  const { on, spread, tries } = measured;
  const found = plural(tries.length, "measurement");
  return [
    `${formatShare(achieved, 1)} of the unpruned time on ${on}, ± ${formatShare(spread, 1)}, found in ${found}`,
  ];
}

export function prunedJson({ before, after, pruned, steps, stored }: PrunedReport): object {
  const side = ({ model, bytes, test }: Side) => {
    const counts = account(model);
    return { ...counts, sparsity: sparsity(model, counts), fileBytes: bytes, ...(test && { test }) };
  };
  const { strategy, target, notes, changes, tuningEpochs } = summed(steps);
  return {
    model: before.model.name,
    strategy,
    ...(target && { target }),
    steps: changes,
    notes,
    before: side(before),
    ...(pruned && { prunedTest: pruned }),
    after: side(after),
    ...(stored && { stored: { ...stored.rounding, fileBytes: stored.bytes } }),
    tuningEpochs,
    did: steps,
  };
}
