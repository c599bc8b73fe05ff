import { EspalierError } from "../errors.ts";
import type { Json, Model } from "../model/model.ts";
import type { Expected, TargetReport } from "./plan.ts";

/**
 * The goals of a plan, relative to the model before any pruning; several must all be reached. `sparsity`: share of the
 * parameters that is zero or removed. The others: the remaining share of trainable elements, of FLOPs (zeros skipped),
 * of bytes as stored, and of the time per call, which is measured.
 */
export type Target = { readonly [M in Metric]?: number };

/** A metric that can be counted on a model. */
export type CountedMetric = "sparsity" | "parameters" | "flops" | "bytes";

/** A metric of a target. */
export type Metric = CountedMetric | "latency";

/** The metrics of targets. */
export const targetMetrics: readonly Metric[] = ["sparsity", "parameters", "flops", "bytes", "latency"];

/** One metric of a target, with its requested value. */
export interface Goal {
  readonly metric: Metric;
  readonly asked: number;
}

/**
 * The goals of a target, in its order. Throws an EspalierError for an empty target, an unknown metric, or a value out
 * of bounds.
 */
export function readTarget(target: Target): Goal[] {
  const goals = Object.entries(target).filter(([, asked]) => asked !== undefined) as [Metric, number][];
  const strange = goals.find(([metric]) => !targetMetrics.includes(metric))?.[0];
  if (goals.length === 0 || strange !== undefined) {
    throw new EspalierError(
      `a target names one or more of ${targetMetrics.join(", ")}; given: ${strange ?? "none"}.`,
    );
  }
  return goals.map(([metric, asked]) => {
    if (metric === "sparsity" ? !(asked >= 0 && asked < 1) : !(asked > 0 && asked <= 1)) {
      throw new EspalierError(
        `target ${metric} ${asked} is outside ${metric === "sparsity" ? "[0, 1)" : "(0, 1]"}.`,
      );
    }
    return { metric, asked };
  });
}

/** The remaining share for a metric's value: `sparsity` counts what is removed. Its own inverse. */
export function leftOf(metric: Metric, value: number): number {
  return metric === "sparsity" ? 1 - value : value;
}

/** Share of the unpruned model's count that remains after a plan. */
export function countedLeft(metric: CountedMetric, expected: Expected, { dense }: Model): number {
  if (metric === "sparsity") return expected.nonzero / dense.parameters.total;
  if (metric === "parameters") return expected.parameters / dense.parameters.total;
  if (metric === "flops") return expected.flops / dense.flops.effective;
  return expected.bytes / dense.bytes.dense;
}

/** The entry of a target in a model's history; the search for it is recorded in the plan. */
export function targetEntry({ measured, others, ...target }: TargetReport): Json {
  return {
    ...target,
    ...(measured === undefined ? {} : { on: measured.on, spread: measured.spread }),
    ...(others === undefined ? {} : { others: others.map(targetEntry) }),
  };
}
