import { EspalierError } from "../errors.ts";
import type { Model } from "../model/model.ts";
import type { Expected, PruningPlan, TargetReport } from "./plan.ts";
import type { Collect, Strategy } from "./strategy.ts";

/**
 * What a plan has to reach, all measured against the model before any pruning. `sparsity`: share of the parameters that
 * is zero or gone. The others: share that is left of trainable elements, of FLOPs (zeros skipped), of bytes as stored.
 */
export type Target =
  | { readonly sparsity: number }
  | { readonly parameters: number }
  | { readonly flops: number }
  | { readonly bytes: number };

/** What a target may name. */
export const targetMetrics: readonly string[] = ["sparsity", "parameters", "flops", "bytes"];

/** What a target is met on. */
export interface MeetRequest {
  readonly model: Model;
  readonly collect?: Collect;
  readonly signal?: AbortSignal;
  /** How far from the target still counts as met, as a share; 0.02 by default. */
  readonly tolerance?: number;
}

/** Largest amount tried. */
const most = 1 - 2 ** -20;

/**
 * Finds the amount at which a strategy's plan reaches a target, by bisection. Where it cannot be reached, the nearest
 * plan is given, and its `target` says that it is not met and why.
 */
export async function meet(target: Target, strategy: Strategy, request: MeetRequest): Promise<PruningPlan> {
  const { metric, asked } = readTarget(target);
  const { model, tolerance = 0.02, signal } = request;
  const wanted = metric === "sparsity" ? asked : 1 - asked;
  const plans: { readonly plan: PruningPlan; readonly removed: number }[] = [];
  const at = async (amount: number): Promise<number> => {
    signal?.throwIfAborted();
    const plan = await strategy.plan({ ...request, amount });
    const removed = removedShare(metric, plan.expected, model);
    plans.push({ plan, removed });
    return removed;
  };
  let low = 0;
  let high = most;
  const start = await at(low);
  // What is asked for already is the best first guess; after that the bracket is halved.
  if (start < wanted && (await at(high)) > wanted) {
    let guess = Math.min(Math.max(wanted, 2 ** -20), 0.999);
    for (let i = 0; i < 24 && high - low > 2 ** -16; i++) {
      const removed = await at(guess);
      if (Math.abs(removed - wanted) < 2e-4) break;
      if (removed < wanted) low = guess;
      else high = guess;
      guess = (low + high) / 2;
    }
  }
  const nearest = plans.reduce((a, b) =>
    Math.abs(b.removed - wanted) < Math.abs(a.removed - wanted) ? b : a,
  );
  const met = Math.abs(nearest.removed - wanted) <= tolerance;
  const report: TargetReport = {
    metric,
    asked,
    achieved: metric === "sparsity" ? nearest.removed : 1 - nearest.removed,
    met,
    ...(met ? {} : { why: reasonOf(strategy, metric, nearest, plans, wanted) }),
  };
  return { ...nearest.plan, target: report };
}

/** A target's metric and number. Throws an EspalierError unless it is one of the four, and inside its bounds. */
export function readTarget(target: Target): { readonly metric: string; readonly asked: number } {
  const entries = Object.entries(target);
  const [metric, asked] = entries[0] ?? ["", Number.NaN];
  if (entries.length !== 1 || !targetMetrics.includes(metric)) {
    throw new EspalierError(
      `a target names one of ${targetMetrics.join(", ")}; given: ${Object.keys(target).join(", ") || "none"}.`,
    );
  }
  if (metric === "sparsity" ? !(asked >= 0 && asked < 1) : !(asked > 0 && asked <= 1)) {
    throw new EspalierError(
      `target ${metric} ${asked} is outside ${metric === "sparsity" ? "[0, 1)" : "(0, 1]"}.`,
    );
  }
  return { metric, asked };
}

function removedShare(metric: string, expected: Expected, { dense }: Model): number {
  if (metric === "sparsity") return 1 - expected.nonzero / dense.parameters.total;
  if (metric === "parameters") return 1 - expected.parameters / dense.parameters.total;
  if (metric === "flops") return 1 - expected.flops / dense.flops.effective;
  return 1 - expected.bytes / dense.bytes.dense;
}

function reasonOf(
  strategy: Strategy,
  metric: string,
  nearest: { readonly plan: PruningPlan; readonly removed: number },
  all: readonly { readonly removed: number }[],
  wanted: number,
): string {
  const left = `${(100 * (1 - nearest.removed)).toFixed(1)} % of the ${metric === "sparsity" ? "parameters" : metric}`;
  if (nearest.plan.notes.length > 0 && nearest.plan.steps.length === 0) return nearest.plan.notes.join("; ");
  if (all.every(({ removed }) => removed < wanted)) {
    return `with all that "${strategy.name}" may remove, ${left} remain`;
  }
  if (all.every(({ removed }) => removed > wanted)) return `the model already has only ${left}`;
  return `what "${strategy.name}" removes at a time is too coarse; nearest: ${left} remain`;
}
