import { isKept, maskFrom } from "../model/mask.ts";
import { matrixViews } from "../model/matrix.ts";
import type { Model } from "../model/model.ts";
import { type AllocationOptions, allocate, type RankedTensor } from "./allocation.ts";
import type { MaskStep } from "./plan.ts";
import { countBelow, sortScores } from "./sort.ts";
import { type Block, singly, type Tiling, tile, unitScores } from "./tiling.ts";

/** Scores of tensors' units with a sorted copy each, so that many amounts can be tried at the cost of one sort. */
export interface WeightRanking {
  readonly block: Block;
  readonly tensors: readonly (RankedTensor & {
    readonly tiling: Tiling;
    /** By unit: a weight, or a block of them. */
    readonly scores: Float32Array;
  })[];
}

/** How many weights are masked. */
export interface MaskOptions extends AllocationOptions {
  /** Another ranking of the same tensors, that says how many each of them loses; which, says the ranking itself. */
  readonly by?: WeightRanking;
}

/** Ranks weights, or blocks of them by their mean score; those already masked come first. */
export function rankWeights(
  model: Model,
  scores: ReadonlyMap<string, Float32Array>,
  block: Block = [1, 1],
): WeightRanking {
  const single = block[0] * block[1] === 1;
  const views = single ? undefined : matrixViews(model, [...scores.keys()]);
  const tensors = [...scores].map(([name, given]) => {
    const { shape } = model.tensors.get(name)!;
    const tiling = views === undefined ? singly(given.length) : tile(views.get(name)!, block);
    const own = unitScores(keptScores(model, name, given), tiling);
    return { name, shape, tiling, scores: own, sorted: sortScores(own) };
  });
  return { block, tensors };
}

/** Scores with −1 for what is masked already. */
export function keptScores(model: Model, name: string, scores: Float32Array): Float32Array {
  const mask = model.masks.get(name);
  return mask === undefined ? scores : scores.map((score, i) => (isKept(mask, i) ? score : -1));
}

/** Masks the weights with the lowest scores: one step for each tensor that loses any. Ties go in index order. */
export function maskWeakest(model: Model, ranking: WeightRanking, options: MaskOptions): MaskStep[] {
  const counts = allocate((options.by ?? ranking).tensors, options);
  const [rows, columns] = ranking.block;
  const pattern = rows * columns > 1 ? { pattern: { block: ranking.block } } : {};
  return ranking.tensors.flatMap(({ name, shape, tiling, scores, sorted }) => {
    const remove = counts.get(name) ?? 0;
    const before = model.masks.get(name);
    if (remove === 0 || (before !== undefined && remove <= countBelow(sorted, 0))) return [];
    const threshold = sorted[remove - 1]!;
    let ties = remove - countBelow(sorted, threshold);
    // A plain loop: there may be millions, and `Uint8Array.from` takes ten times as long.
    const kept = new Uint8Array(scores.length);
    for (let i = 0; i < scores.length; i++) {
      const score = scores[i]!;
      if (score > threshold || (score === threshold && ties-- <= 0)) kept[i] = 1;
    }
    const keep = maskFrom(shape, (i) => kept[tiling.unitOf(i)] === 1);
    const share = ((100 * remove) / scores.length).toFixed(1);
    const because = `${share} % score ≤ ${threshold.toPrecision(4)}`;
    return [{ do: "mask", parameter: name, keep, ...pattern, because }];
  });
}
