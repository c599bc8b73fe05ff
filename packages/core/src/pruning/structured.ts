import { type Criterion, type IndexScores, prunableTensors } from "../criteria/criterion.ts";
import { checkAmount, findCriterion } from "../criteria/index.ts";
import { type DimensionKind, type PrunableDimension, prunableDimensions } from "../dimensions/dimensions.ts";
import type { Model } from "../model/model.ts";
import { perModel } from "../model/per-model.ts";
import type { Scope } from "./allocation.ts";
import { type RemoveOptions, removeWeakest } from "./indices.ts";
import { matchesAny } from "./patterns.ts";
import type { RemoveStep } from "./plan.ts";
import { applySteps, outline } from "./prune.ts";
import { CutError } from "./simplify.ts";
import type { Strategy } from "./strategy.ts";
import { nothingToPrune, writePlan } from "./write-plan.ts";

/** The units that a structured strategy removes, and its rule. */
export interface StructuredOptions {
  readonly name: string;
  /** Name of the removed parts in messages: "attention head". */
  readonly what: string;
  readonly kinds: readonly DimensionKind[];
  readonly criterion: string | Criterion;
  readonly scope: Scope;
  readonly keepAtLeast: number;
  readonly multipleOf: number;
  /** Dimensions to leave alone: patterns matched against their names and the names of their members' tensors. */
  readonly keep: readonly string[];
  readonly seed: number;
}

/**
 * A strategy that removes the weakest indices of dimensions of certain kinds: the common part of channel and head
 * pruning.
 */
export function structuredStrategy(options: StructuredOptions): Strategy {
  const { name, what, kinds, keep } = options;
  const criterion = findCriterion(options.criterion, options.seed);
  const remembered = perModel<readonly IndexScores[]>();
  return {
    name,
    async plan(request) {
      const { model, amount } = request;
      checkAmount(amount);
      const dimensions = candidates(model, kinds, keep);
      if (dimensions.length === 0)
        return nothingToPrune(model, name, what, ({ kind }) => kinds.includes(kind));
      const scores = await remembered(model, () => criterion.indices(request, dimensions));
      return writePlan(model, name, removeWhereAllowed(model, scores, { ...options, amount }));
    },
  };
}

/** Removes the weakest indices. If emptying dimensions would cut the only path, the last of them keep one index. */
function removeWhereAllowed(
  model: Model,
  scores: readonly IndexScores[],
  options: RemoveOptions,
): RemoveStep[] {
  const neverEmptied = new Set<string>();
  for (;;) {
    const steps = removeWeakest(scores, { ...options, neverEmptied });
    const cuts = cutting(model, steps);
    if (cuts.length === 0) return steps;
    for (const dimension of cuts) neverEmptied.add(dimension);
  }
}

/** Dimensions that a step empties although that, with the steps before, leaves no path. */
function cutting(model: Model, steps: readonly RemoveStep[]): string[] {
  const emptying = steps.filter(({ indices, extent }) => {
    const list = typeof indices[0] === "object" ? indices[0] : indices;
    return list.length === extent;
  });
  if (emptying.length === 0 || !cuts(model, emptying)) return [];
  let left = outline(model);
  return emptying.flatMap((step) => {
    // Another dimension may have been removed with it.
    if (!left.dimensions.list.some(({ name }) => name === step.dimension)) return [];
    if (cuts(left, [step])) return [step.dimension];
    left = applySteps(left, [step]);
    return [];
  });
}

function cuts(model: Model, steps: readonly RemoveStep[]): boolean {
  try {
    applySteps(outline(model), steps);
    return false;
  } catch (error) {
    if (error instanceof CutError) return true;
    throw error;
  }
}

function candidates(
  model: Model,
  kinds: readonly DimensionKind[],
  keep: readonly string[],
): PrunableDimension[] {
  const weights = new Set(prunableTensors(model));
  return prunableDimensions(model.dimensions).filter(
    ({ kind, name, members }) =>
      kinds.includes(kind) &&
      members.some(({ tensor }) => weights.has(tensor)) &&
      !matchesAny(keep, name) &&
      !members.some(({ tensor }) => matchesAny(keep, tensor)),
  );
}
