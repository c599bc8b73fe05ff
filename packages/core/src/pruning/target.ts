import { EspalierError } from "../errors.ts";
import type { Json, Model } from "../model/model.ts";
import type { Expected, TargetReport } from "./plan.ts";

/**
 * What a plan has to reach, all measured against the model before any pruning; several at once must all be reached.
 * `sparsity`: share of the parameters that is zero or gone. The others: share that is left of trainable elements, of
 * FLOPs (zeros skipped), of bytes as stored, and of the time of a call, which is measured.
 */
export type Target = { readonly [M in Metric]?: number };

/** What can be counted on a model. */
export type CountedMetric = "sparsity" | "parameters" | "flops" | "bytes";

/** What a target may name. */
export type Metric = CountedMetric | "latency";

/** What a target may name. */
export const targetMetrics: readonly Metric[] = ["sparsity", "parameters", "flops", "bytes", "latency"];

/** One of the things a target names, and how much of it. */
export interface Goal {
  readonly metric: Metric;
  readonly asked: number;
}

/** What a target names, in its order. Throws an EspalierError for nothing, for what is not known, and outside the bounds. */
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

/** The share that is left where a metric has a value: `sparsity` counts what is gone. Its own inverse. */
export function leftOf(metric: Metric, value: number): number {
  return metric === "sparsity" ? 1 - value : value;
}

/** Share of what the unpruned model had that is left after a plan. */
export function countedLeft(metric: CountedMetric, expected: Expected, { dense }: Model): number {
  if (metric === "sparsity") return expected.nonzero / dense.parameters.total;
  if (metric === "parameters") return expected.parameters / dense.parameters.total;
  if (metric === "flops") return expected.flops / dense.flops.effective;
  return expected.bytes / dense.bytes.dense;
}

/** A target as a model's history keeps it: the search for it is the plan's. */
export function targetEntry({ measured, others, ...target }: TargetReport): Json {
  return {
    ...target,
    ...(measured === undefined ? {} : { on: measured.on, spread: measured.spread }),
    ...(others === undefined ? {} : { others: others.map(targetEntry) }),
  };
}
