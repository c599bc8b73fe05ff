import { EspalierError, type PruningPlan, type TargetReport } from "@espalier/core";

/** A target that no plan of a strategy meets. */
export class UnmetTargetError extends EspalierError {
  /** The nearest possible plan. */
  readonly plan: PruningPlan;
  /** Step of the recipe, from 0. */
  readonly step: number;

  constructor(message: string, plan: PruningPlan, step: number) {
    super(message);
    this.plan = plan;
    this.step = step;
  }
}

/** Creates the error for a plan that misses its target. */
export function unmetTarget(plan: PruningPlan, step: number): UnmetTargetError {
  const { strategy, target } = plan;
  const { metric, asked, achieved, why = "nothing comes near" } = target!;
  // A plan may also remove far more than requested, if a whole head is the least that can be removed.
  const overshot = metric === "sparsity" ? achieved > asked : achieved < asked;
  const verdict = overshot ? "can only be overshot" : "cannot be met";
  return new UnmetTargetError(
    `target ${targetText(target!)} ${verdict} by "${strategy}": ${why}.`,
    plan,
    step,
  );
}

/** A target in words: `flops ≤ 10 %`, `sparsity ≥ 80 %`. */
export function targetText({ metric, asked }: Pick<TargetReport, "metric" | "asked">): string {
  return `${metric} ${metric === "sparsity" ? "≥" : "≤"} ${Number((100 * asked).toFixed(2))} %`;
}
