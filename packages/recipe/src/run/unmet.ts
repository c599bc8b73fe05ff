import { EspalierError, type PruningPlan, type TargetReport } from "@espalier/core";

/** A target that no plan of a strategy meets. */
export class UnmetTargetError extends EspalierError {
  /** The nearest plan there is. */
  readonly plan: PruningPlan;
  /** Step of the recipe, from 0. */
  readonly step: number;

  constructor(message: string, plan: PruningPlan, step: number) {
    super(message);
    this.plan = plan;
    this.step = step;
  }
}

/** The error for a plan that misses its target. */
export function unmetTarget(plan: PruningPlan, step: number): UnmetTargetError {
  const { strategy, target } = plan;
  const why = target!.why ?? "nothing comes near";
  return new UnmetTargetError(
    `target ${targetText(target!)} cannot be met by "${strategy}": ${why}.`,
    plan,
    step,
  );
}

/** A target in words: `flops ≤ 10 %`, `sparsity ≥ 80 %`. */
export function targetText({ metric, asked }: Pick<TargetReport, "metric" | "asked">): string {
  return `${metric} ${metric === "sparsity" ? "≥" : "≤"} ${Number((100 * asked).toFixed(2))} %`;
}
