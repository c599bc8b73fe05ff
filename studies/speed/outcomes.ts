import {
  isPrune,
  isTrain,
  labelOf,
  type PruneRecord,
  procedureOf,
  type ResultRecord,
  recipeOf,
  type TrainRecord,
} from "@espalier/bench";
import { type Stat, statOf } from "@espalier/report";

/** A recipe of a study, over the seeds. */
export interface Outcome {
  readonly recipe: string;
  /** The recipe only trains the dense model further. */
  readonly trainsOn: boolean;
  /** MSE on validation data, which decides. */
  readonly validation: Stat;
  readonly test: Stat;
  /** In the order of the seeds. */
  readonly records: readonly PruneRecord[];
}

/** How far a model of a study can be pruned before its error on validation data is above the dense model's. */
export interface Findings {
  /** The dense models as first trained, in the order of the seeds. */
  readonly dense: readonly TrainRecord[];
  /** The dense models trained on for as long as the pruned ones are tuned, at the rate that is best on validation data. */
  readonly reference: Outcome;
  /** The pruned models, the fewest FLOPs first. */
  readonly pruned: readonly Outcome[];
}

/** The findings of a study. Undefined until the reference and a pruned model are there. */
export function findingsOf(records: readonly ResultRecord[]): Findings | undefined {
  const groups = Map.groupBy(records.filter(isPrune), ({ cell }) => labelOf(procedureOf(cell)));
  const outcomes = [...groups].map(([recipe, group]) => outcomeOf(recipe, group));
  const [reference] = outcomes
    .filter(({ trainsOn }) => trainsOn)
    .sort((a, b) => a.validation.mean - b.validation.mean);
  const pruned = outcomes.filter(({ trainsOn }) => !trainsOn).sort((a, b) => flopsOf(a) - flopsOf(b));
  if (reference === undefined || pruned.length === 0) return undefined;
  return { dense: records.filter(isTrain).sort((a, b) => a.cell.seed - b.cell.seed), reference, pruned };
}

/** Whether a pruned model is as good as the reference on validation data, mean over the seeds that both have. */
export function forecastsAsWell(outcome: Outcome, findings: Findings): boolean {
  return excessOf(outcome, findings) <= 0;
}

/** How far a model's error on validation data is above the reference's, as a share of it: mean over the seeds that both have. */
export function excessOf({ records }: Outcome, { reference }: Findings): number {
  const errors = errorsBySeed(reference);
  let [own, other] = [0, 0];
  for (const [seed, mse] of errorsBySeed({ records })) {
    if (!errors.has(seed)) continue;
    own += mse;
    other += errors.get(seed)!;
  }
  return other === 0 ? Number.POSITIVE_INFINITY : own / other - 1;
}

function errorsBySeed({ records }: Pick<Outcome, "records">): Map<number, number> {
  return new Map(records.map(({ cell, result }) => [cell.dense.seed, result.validation!.mse]));
}

/** FLOPs of one forecast of the first seed's model, zeros skipped. */
export function flopsOf({ records }: Outcome): number {
  return records[0]!.result.counts.flops.effective;
}

function outcomeOf(recipe: string, group: readonly PruneRecord[]): Outcome {
  const records = group.toSorted((a, b) => a.cell.dense.seed - b.cell.dense.seed);
  const { steps } = recipeOf(records[0]!.cell);
  return {
    recipe,
    trainsOn: steps.every((step) => step.do === "tune" && step.masks === undefined),
    validation: statOf(records.map(({ result }) => result.validation!.mse)),
    test: statOf(records.map(({ result }) => result.tuned.mse)),
    records,
  };
}
