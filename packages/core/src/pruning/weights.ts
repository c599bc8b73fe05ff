import { isKept, type Mask, maskFrom } from "../model/mask.ts";
import { matrixViews } from "../model/matrix.ts";
import type { Model } from "../model/model.ts";
import { type AllocationOptions, allocate, type RankedTensor } from "./allocation.ts";
import type { MaskStep } from "./plan.ts";
import { bitsAbove, rankScores } from "./ranks.ts";
import { type Block, type Tiling, tile, unitScores } from "./tiling.ts";

/** Scores of tensors' units, counted once, so that many amounts can be tried. */
export interface WeightRanking {
  /** Units are weights or, with a tiling, blocks of them. */
  readonly tensors: readonly (RankedTensor & { readonly tiling?: Tiling })[];
}

/** How many weights to mask. */
export interface MaskOptions extends AllocationOptions {
  /** Another ranking of the same tensors, which decides how many each of them loses; the main ranking decides which. */
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
    const own = keptScores(model, name, given);
    if (views === undefined) return { name, shape, ...rankScores(own) };
    const tiling = tile(views.get(name)!, block);
    return { name, shape, tiling, ...rankScores(unitScores(own, tiling)) };
  });
  return { tensors };
}

/** The scores, with −1 for weights that are already masked. */
export function keptScores(model: Model, name: string, scores: Float32Array): Float32Array {
  const mask = model.masks.get(name);
  if (mask === undefined) return scores;
  const kept = scores.slice();
  for (let i = 0; i < kept.length; i++) if (!isKept(mask, i)) kept[i] = -1;
  return kept;
}

/** Masks the weights with the lowest scores: one step for each tensor that loses any. Ties are broken by index order. */
export function maskWeakest(ranking: WeightRanking, options: MaskOptions): MaskStep[] {
  const counts = allocate((options.by ?? ranking).tensors, options);
  return ranking.tensors.flatMap((tensor) => {
    const { name, shape, tiling, scores } = tensor;
    const remove = counts.get(name) ?? 0;
    if (remove <= tensor.before) return [];
    const { threshold, bits } = bitsAbove(tensor, remove);
    const units: Mask = { shape: tiling === undefined ? shape : [scores.length], bits };
    const keep = tiling === undefined ? units : maskFrom(shape, (i) => isKept(units, tiling.unitOf(i)));
    const share = ((100 * remove) / scores.length).toFixed(1);
    const because = `${share} % score ≤ ${threshold.toPrecision(4)}`;
    return [{ do: "mask", parameter: name, keep, because }];
  });
}
