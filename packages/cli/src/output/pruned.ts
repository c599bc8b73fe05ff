import { account, type Model, sparsity, type TargetReport } from "@espalier/core";
import type { StepOutcome } from "@espalier/recipe";
import type { Metrics } from "@espalier/training";
import type { Colors } from "../context.ts";
import { bytes, change, count, measure, operations, percent, plural } from "./numbers.ts";
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
  readonly steps: readonly StepOutcome[];
}

/** All plans as one: their strategies in order, and what the last was to reach. */
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
  const { before, after, pruned, steps } = report;
  const { strategy, target, notes, tuningEpochs } = summed(steps);
  const [a, b] = [account(before.model), account(after.model)];
  const row = (name: string, from: number, to: number, text: (n: number) => string) => [
    name,
    text(from),
    text(to),
    change(from, to),
  ];
  const rows = [
    row("parameters", a.parameters.total, b.parameters.total, count),
    ...(a.parameters.dead > 0 ? [row("  of them dead", a.parameters.dead, b.parameters.dead, count)] : []),
    row("nonzero", a.parameters.nonzero, b.parameters.nonzero, count),
    row("FLOPs, zeros skipped", a.flops.effective, b.flops.effective, operations),
    row("bytes on disk", before.bytes, after.bytes, bytes),
    ...errorRows(before.test, after.test, pruned),
  ];
  const goals = target === undefined ? [] : [target, ...(target.others ?? [])];
  const wanted = goals.map(({ metric, asked }) => `${metric} ${asked}`).join(" and ");
  const asked = target === undefined ? "" : `; asked for ${wanted}`;
  const nearest = target === undefined || target.met ? "" : ", this is the nearest";
  return [
    `${colors.bold(before.model.name)}, pruned by ${strategy}`,
    `sparsity ${percent(sparsity(before.model, a))} → ${percent(sparsity(after.model, b))} of the unpruned model${asked}${nearest}`,
    ...goals.flatMap(timedLines),
    ...(tuningEpochs > 0 ? [`fine-tuned for ${plural(tuningEpochs, "epoch")}`] : []),
    "",
    ...tableLines([["", "before", "after", "change"].map((text) => colors.bold(text)), ...rows]),
    ...notes.map((note) => colors.dim(note)),
  ];
}

/** What a target that was measured came to; progress has shown each try, and JSON and the plan keep them. */
function timedLines({ achieved, measured }: TargetReport): string[] {
  if (measured === undefined) return [];
  const { on, spread, tries } = measured;
  const found = plural(tries.length, "measurement");
  return [`${percent(achieved)} of the unpruned time on ${on}, ± ${percent(spread)}, found in ${found}`];
}

function errorRows(
  before: Metrics | undefined,
  after: Metrics | undefined,
  pruned: Metrics | undefined,
): string[][] {
  if (before === undefined || after === undefined) return [];
  return (["mse", "mae"] as const).flatMap((key) => {
    const name = `test ${key.toUpperCase()}`;
    const row = [name, measure(before[key]), measure(after[key]), change(before[key], after[key])];
    if (pruned === undefined) return [row];
    return [row, ["  before tuning", "", measure(pruned[key]), change(before[key], pruned[key])]];
  });
}

export function prunedJson({ before, after, pruned, steps }: PrunedReport): object {
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
    tuningEpochs,
    did: steps,
  };
}
