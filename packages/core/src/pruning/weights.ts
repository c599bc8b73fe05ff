import { isKept, maskFrom } from "../model/mask.ts";
import type { Model } from "../model/model.ts";
import { matrixViews } from "./matrix.ts";
import type { MaskStep } from "./plan.ts";
import { sortScores } from "./sort.ts";
import { type Block, singly, type Tiling, tile, unitScores } from "./tiling.ts";

/**
 * What is compared with what. `local`: every tensor (or dimension) loses the same share. `global`: all are ranked
 * together. `isomorphic`: those that play the same part in different layers are ranked together (Fang et al., ECCV 2024).
 */
export type Scope = "local" | "global" | "isomorphic";

/** How many weights are masked, and what stays. */
export interface MaskOptions {
  readonly amount: number;
  readonly scope: Scope;
  /**
   * No tensor keeps less than this share of the average density, and none loses its last weight: 0.25 keeps at least 5 %
   * of each when 20 % are kept overall. 0 lets a ranking empty a layer.
   */
  readonly leastDensity: number;
  /** Shares to remove by tensor, for criteria that decide this themselves; `scope` is then not looked at. */
  readonly shares?: ReadonlyMap<string, number>;
}

/** Scores of tensors' units with a sorted copy each, so that many amounts can be tried at the cost of one sort. */
export interface WeightRanking {
  readonly block: Block;
  readonly tensors: readonly {
    readonly name: string;
    readonly tiling: Tiling;
    /** By unit: a weight, or a block of them. */
    readonly scores: Float32Array;
    readonly sorted: Float32Array;
  }[];
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
    const tiling = views === undefined ? singly(given.length) : tile(views.get(name)!, block);
    const own = unitScores(keptScores(model, name, given), tiling);
    return { name, tiling, scores: own, sorted: sortScores(own) };
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
  const counts =
    options.shares === undefined ? countByScope(ranking, options) : countByShares(ranking, options.shares);
  const [rows, columns] = ranking.block;
  const pattern = rows * columns > 1 ? { pattern: { block: ranking.block } } : {};
  return ranking.tensors.flatMap(({ name, tiling, scores, sorted }) => {
    const remove = counts.get(name) ?? 0;
    const before = model.masks.get(name);
    if (remove === 0 || (before !== undefined && remove <= firstAtLeast(sorted, 0))) return [];
    const threshold = sorted[remove - 1]!;
    let ties = remove - firstAtLeast(sorted, threshold);
    // A plain loop: there may be millions, and `Uint8Array.from` takes ten times as long.
    const kept = new Uint8Array(scores.length);
    for (let i = 0; i < scores.length; i++) {
      const score = scores[i]!;
      if (score > threshold || (score === threshold && ties-- <= 0)) kept[i] = 1;
    }
    const keep = maskFrom(model.tensors.get(name)!.shape, (i) => kept[tiling.unitOf(i)] === 1);
    const share = ((100 * remove) / scores.length).toFixed(1);
    const because = `${share} % score ≤ ${threshold.toPrecision(4)}`;
    return [{ do: "mask", parameter: name, keep, ...pattern, because }];
  });
}

function countByShares(ranking: WeightRanking, shares: ReadonlyMap<string, number>): Map<string, number> {
  return new Map(
    ranking.tensors.map(({ name, sorted }) => [
      name,
      Math.min(roundHalfEven((shares.get(name) ?? 0) * sorted.length), sorted.length - 1),
    ]),
  );
}

function countByScope(
  ranking: WeightRanking,
  { amount, scope, leastDensity }: MaskOptions,
): Map<string, number> {
  const groups = Map.groupBy(ranking.tensors, ({ name }) =>
    scope === "local" ? name : scope === "isomorphic" ? rolePattern(name) : "",
  );
  const counts = new Map<string, number>();
  for (const group of groups.values()) {
    const most = (size: number) => {
      if (leastDensity === 0) return size;
      return size - Math.max(1, Math.ceil(leastDensity * (1 - amount) * size));
    };
    for (const [name, count] of countTogether(group, amount, most)) counts.set(name, count);
  }
  return counts;
}

/** A tensor's part in its layer: its name with layer numbers left open. */
export function rolePattern(name: string): string {
  return name.replace(/\d+/g, "*");
}

/**
 * How many each tensor loses when the lowest scores of all go, none more than it may: tensors that would lose more lose
 * just that, and the rest is shared out among the others.
 */
function countTogether(
  group: WeightRanking["tensors"],
  amount: number,
  most: (size: number) => number,
): Map<string, number> {
  const counts = new Map<string, number>();
  let open = [...group];
  let remove = roundHalfEven(amount * group.reduce((n, { sorted }) => n + sorted.length, 0));
  for (;;) {
    const shared = lowestOf(open, Math.max(0, remove));
    const over = open.filter(({ sorted }, i) => shared[i]! > most(sorted.length));
    if (over.length === 0) {
      open.forEach(({ name }, i) => {
        counts.set(name, shared[i]!);
      });
      return counts;
    }
    for (const { name, sorted } of over) {
      counts.set(name, most(sorted.length));
      remove -= most(sorted.length);
    }
    open = open.filter((tensor) => !over.includes(tensor));
  }
}

/** How many of the `remove` lowest numbers lie in each sorted list; ties go to earlier lists. */
function lowestOf(lists: WeightRanking["tensors"], remove: number): number[] {
  if (remove === 0) return lists.map(() => 0);
  // Non-negative floats are ordered as their bits are: bisect the bits for the threshold.
  const bits = new Uint32Array(1);
  const float = new Float32Array(bits.buffer);
  const upTo = (threshold: number) => lists.reduce((n, { sorted }) => n + firstAbove(sorted, threshold), 0);
  let low = -1;
  let high = 0x7f800000;
  while (high - low > 1) {
    const middle = low + Math.floor((high - low) / 2);
    bits[0] = middle;
    if (upTo(float[0]!) >= remove) high = middle;
    else low = middle;
  }
  bits[0] = high;
  const threshold = float[0]!;
  const below = lists.map(({ sorted }) => firstAtLeast(sorted, threshold));
  let ties = remove - below.reduce((n, count) => n + count, 0);
  return lists.map(({ sorted }, i) => {
    const take = Math.max(0, Math.min(ties, firstAbove(sorted, threshold) - below[i]!));
    ties -= take;
    return below[i]! + take;
  });
}

function firstAtLeast(sorted: Float32Array, value: number): number {
  return partition(sorted, (x) => x >= value);
}

function firstAbove(sorted: Float32Array, value: number): number {
  return partition(sorted, (x) => x > value);
}

/** First position of a sorted list for which `test` holds. */
function partition(sorted: Float32Array, test: (x: number) => boolean): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (test(sorted[middle]!)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Rounds as Python does, so that counts agree with the published code. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}
