import type { IndexScores } from "../criteria/criterion.ts";
import { rolePattern, type Scope } from "./allocation.ts";
import type { RemoveStep } from "./plan.ts";

/** How much to remove, and the limits. */
export interface RemoveOptions {
  /** Share of the indices to remove, in [0, 1). */
  readonly amount: number;
  readonly scope: Scope;
  /** Minimum number of indices that every dimension keeps; 0 allows a dimension to be emptied (depth pruning). */
  readonly keepAtLeast: number;
  /** Names of dimensions that always keep at least one index. */
  readonly neverEmptied?: ReadonlySet<string>;
  /** Kept sizes are rounded up to a multiple of this, if the dimension is large enough. */
  readonly multipleOf: number;
}

/** One dimension's indices, weakest first. For nested dimensions a slot is the r-th weakest of every row. */
interface Ranked {
  readonly scores: IndexScores;
  /** By row: indices, weakest first. */
  readonly order: readonly (readonly number[])[];
  /** By slot: importance relative to the dimension's mean. */
  readonly slots: readonly number[];
}

/**
 * Removes the weakest indices of dimensions: one step for each dimension that loses any. Scores are compared across
 * dimensions relative to their mean, since groups differ in size. Ties are broken by index order.
 */
export function removeWeakest(scores: readonly IndexScores[], options: RemoveOptions): RemoveStep[] {
  const ranked = scores.map(rank);
  const groups = Map.groupBy(ranked, ({ scores: { dimension } }, i) =>
    options.scope === "local" ? `${i}` : options.scope === "isomorphic" ? patternOf(dimension) : "",
  );
  const counts = new Map<Ranked, number>();
  for (const group of groups.values()) {
    for (const [one, count] of countTogether(group, options)) counts.set(one, count);
  }
  const steps = ranked.flatMap((one) => stepOf(one, roundedCount(one, counts.get(one)!, options)));
  // Lists that differ within another dimension refer to its current indices, so they come before it loses any.
  return steps.toSorted((a, b) => Number(isNested(b.indices)) - Number(isNested(a.indices)));
}

/** Whether a step has one list for each index of the dimension around it. */
export function isNested(indices: RemoveStep["indices"]): indices is readonly (readonly number[])[] {
  return typeof indices[0] === "object";
}

function rank(scores: IndexScores): Ranked {
  const { size } = scores.dimension;
  const rows = Array.from({ length: scores.outer }, (_, row) =>
    scores.values.subarray(row * size, (row + 1) * size),
  );
  const order = rows.map((row) => Array.from(row.keys()).sort((a, b) => row[a]! - row[b]! || a - b));
  const mean = scores.values.reduce((sum, value) => sum + value, 0) / Math.max(1, scores.values.length);
  const slots = Array.from({ length: size }, (_, slot) => {
    const sum = rows.reduce((total, row, r) => total + row[order[r]![slot]!]!, 0);
    return mean === 0 ? 0 : sum / scores.outer / mean;
  });
  return { scores, order, slots };
}

/** The composition of a dimension, with layer numbers replaced by a wildcard. */
function patternOf(dimension: IndexScores["dimension"]): string {
  const members = dimension.members.map(
    ({ tensor, axis, place }) => `${rolePattern(tensor)}[${axis}].${place}`,
  );
  return `${dimension.kind} ${dimension.size} ${[...new Set(members)].join(" ")}`;
}

/** Number that each dimension loses if the weakest slots of all are removed, none beyond its limit. */
function countTogether(
  group: readonly Ranked[],
  { amount, keepAtLeast, neverEmptied }: RemoveOptions,
): Map<Ranked, number> {
  const slots = group.flatMap((one) => {
    const least = neverEmptied?.has(one.scores.dimension.name) ? Math.max(1, keepAtLeast) : keepAtLeast;
    return one.slots.slice(0, Math.max(0, one.slots.length - least)).map((score) => ({ one, score }));
  });
  slots.sort((a, b) => a.score - b.score);
  const total = group.reduce((n, one) => n + one.slots.length, 0);
  const counts = new Map(group.map((one) => [one, 0]));
  for (const { one } of slots.slice(0, Math.round(amount * total))) counts.set(one, counts.get(one)! + 1);
  return counts;
}

function roundedCount(one: Ranked, count: number, { multipleOf }: RemoveOptions): number {
  const size = one.slots.length;
  const kept = Math.ceil((size - count) / multipleOf) * multipleOf;
  return Math.max(0, size - kept);
}

function stepOf({ scores, order, slots }: Ranked, count: number): RemoveStep[] {
  if (count === 0) return [];
  const { dimension } = scores;
  const lists = order.map((row) => row.slice(0, count).sort((a, b) => a - b));
  const score = slots[count - 1]!.toPrecision(3);
  return [
    {
      do: "remove",
      dimension: dimension.name,
      extent: dimension.size,
      indices: dimension.within === undefined ? lists[0]! : lists,
      because: `${count} of ${dimension.size} score ≤ ${score} of the mean`,
    },
  ];
}
