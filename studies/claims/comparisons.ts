import {
  denseCell,
  isPrune,
  isTrain,
  labelOf,
  type PruneRecord,
  procedureOf,
  type ResultRecord,
  type SweepConfig,
} from "@espalier/bench";
import { type Stat, statOf } from "@espalier/report";
import type { Published } from "./published.ts";
import { atMost, type Outcome, seedsNeeded, trainedWithin } from "./rule.ts";

/** A pruned model beside its dense model, over the seeds. */
export interface Comparison {
  readonly model: string;
  readonly strategy: string;
  readonly sparsity: number;
  readonly tuned: boolean;
  /** MSE ÷ that of the dense model of the same seed. */
  readonly ratio: Stat;
  readonly seeds: number;
  /** The first seed's. */
  readonly result: PruneRecord["result"];
  /** Whether the runs bear a verdict. */
  readonly counts: boolean;
}

/** A dense model over the seeds. */
export interface Dense {
  readonly model: string;
  readonly mse: Stat;
  readonly mae: Stat;
  readonly seeds: number;
  readonly epochs: readonly number[];
  readonly trained: boolean;
}

/** A study: its sweep file, the results so far, and what was published. */
export interface Study extends Published {
  /** Name of its folder in `results`. */
  readonly name: string;
  /** Path of the sweep file within the repository. */
  readonly file: string;
  readonly config: SweepConfig;
  readonly records: readonly ResultRecord[];
  /** Results of untrained models at the published widths: sizes, FLOPs and times, which need no training. */
  readonly untrained: readonly ResultRecord[];
  /** The charts beside the page. */
  readonly charts: readonly string[];
}

/** The models of a study by label, whether they have results or not. */
export function modelsOf({ config }: Study): string[] {
  return config.models.map(labelOf);
}

/** The results on the first data set of the sweep file, every window: on which claims are judged. */
function judgedRecords({ config, records }: Study): ResultRecord[] {
  return records.filter(({ cell }) => {
    const { dataset, evaluationWindows } = denseCell(cell).data;
    return dataset === config.datasets[0] && evaluationWindows === undefined;
  });
}

export function densesOf(study: Study): Dense[] {
  const trained = judgedRecords(study).filter(isTrain);
  return modelsOf(study).flatMap((model): Dense[] => {
    const own = trained.filter(({ cell }) => labelOf(cell.model) === model);
    if (own.length === 0) return [];
    const mse = statOf(own.map(({ result }) => result.test.mse));
    const known = study.literature[model];
    return [
      {
        model,
        mse,
        mae: statOf(own.map(({ result }) => result.test.mae)),
        seeds: own.length,
        epochs: own.map(({ result }) => result.epochs),
        trained: known === undefined || mse.mean <= (1 + trainedWithin) * known,
      },
    ];
  });
}

export function comparisonsOf(study: Study): Comparison[] {
  const trained = new Map(densesOf(study).map((dense) => [dense.model, dense.trained]));
  const groups = Map.groupBy(
    judgedRecords(study)
      .filter(isPrune)
      .filter(({ result, cell }) => result.applicable && cell.target.sparsity !== undefined),
    ({ cell, result }) =>
      JSON.stringify([
        labelOf(cell.dense.model),
        labelOf(procedureOf(cell)),
        cell.target.sparsity,
        result.tuningEpochs > 0,
      ]),
  );
  return [...groups.values()].map((group) => {
    const { cell, result } = group[0]!;
    const model = labelOf(cell.dense.model);
    return {
      model,
      strategy: labelOf(procedureOf(cell)),
      sparsity: cell.target.sparsity!,
      tuned: result.tuningEpochs > 0,
      ratio: statOf(group.map(({ result: { tuned, dense } }) => tuned.mse / dense.test.mse)),
      seeds: group.length,
      result,
      counts: group.length >= seedsNeeded && trained.get(model) === true,
    };
  });
}

/** Whether a pruned model's error is at most so many times the dense one's. */
export function within(comparison: Comparison | undefined, bound: number): Outcome {
  return comparison?.counts ? atMost(comparison.ratio, bound) : "missing";
}
