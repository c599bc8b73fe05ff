import { canonicalJson } from "@espalier/core/documents";
import { exchange, type Finished, longestOf, type Ranking } from "./ranking.ts";
import type { CandidateRecord } from "./records.ts";
import { isChoice, type Point, type Range, rounded, type SearchSpace } from "./space/space.ts";

/** A size at which a recipe was tried, and the error that it left to spare. */
interface Tried {
  readonly size: number;
  readonly spare: number;
}

/** A search in progress. */
interface SoFar {
  readonly space: SearchSpace;
  readonly candidates: readonly CandidateRecord[];
  readonly trials: readonly Finished[];
  readonly ranking: Ranking;
}

/** Recipes that are asked for a size, the most promising first. */
const asked = 6;
/** Chance that a recipe whose size can be improved is taken; otherwise the next one is asked. */
const taken = 0.5;
/** Sizes closer than this are the same. */
const closest = 0.04;

/**
 * A point that was tried, at the size at which its error should just reach the limit: between the largest size that missed it
 * and the smallest that kept it (false position, kept off the ends), or beyond all of them, by what a change of the error
 * usually is worth. `ranked` holds points from the most promising on; of those whose size can still be improved, the first
 * is taken half of the time. Undefined if none can, or if size is not free.
 */
export function pointAtLimit(
  space: SearchSpace,
  ranked: readonly Point[],
  candidates: readonly CandidateRecord[],
  longest: readonly Finished[],
  ranking: Ranking,
  random: () => number,
): Point | undefined {
  const range = sizeRange(space);
  if (range === undefined) return undefined;
  const seen = new Set<string>();
  let first: Point | undefined;
  for (const point of ranked) {
    const name = familyOf(point, range);
    if (seen.has(name)) continue;
    if (seen.size === asked) break;
    seen.add(name);
    const tried = triedSizes(point, range, candidates, longest, ranking);
    const size = sizeAtLimit(tried, range);
    // Known already.
    if (size === undefined || tried.some((one) => Math.abs(Math.log(one.size / size)) <= closest)) continue;
    const found = { ...point, [range.name]: size };
    if (random() < taken) return found;
    first ??= found;
  }
  return first;
}

/** The size at which a point that was tried should just keep the limit of the error; undefined if size is not free, or without a limit. */
export function aimedSize(
  space: SearchSpace,
  point: Point,
  candidates: readonly CandidateRecord[],
  longest: readonly Finished[],
  ranking: Ranking,
): number | undefined {
  const range = sizeRange(space);
  return range && sizeAtLimit(triedSizes(point, range, candidates, longest, ranking), range);
}

/** The size at which a model should just keep the limit, whatever its recipe; undefined before the first result. */
export function sizeToStartAt({ space, candidates, trials, ranking }: SoFar): number | undefined {
  const range = sizeRange(space);
  return range && sizeAtLimit(triedSizes(undefined, range, candidates, longestOf(trials), ranking), range);
}

function sizeRange(space: SearchSpace): Range | undefined {
  const range = space.parameters.find(({ name }) => name === space.size);
  return range === undefined || isChoice(range) ? undefined : range;
}

/** Sizes at which one recipe was tried, or all of them. */
function triedSizes(
  point: Point | undefined,
  range: Range,
  candidates: readonly CandidateRecord[],
  longest: readonly Finished[],
  ranking: Ranking,
): Tried[] {
  const name = point && familyOf(point, range);
  return longest.flatMap(({ of, result, rung }) => {
    const other = candidates[of]!.point;
    const spare = ranking.spare(result, rung);
    if (spare === undefined || (name !== undefined && familyOf(other, range) !== name)) return [];
    return [{ size: other[range.name] as number, spare }];
  });
}

/** Whether a point has more than so many times the size of a model that keeps the limit of the error already. */
export function isTooLarge(
  point: Point,
  { space: { size }, candidates, trials, ranking }: SoFar,
  times: number,
): boolean {
  if (size === undefined) return false;
  return longestOf(trials).some(
    ({ of, result, rung }) =>
      (ranking.spare(result, rung) ?? -1) >= 0 &&
      times * (candidates[of]!.point[size] as number) < (point[size] as number),
  );
}

function sizeAtLimit(tried: readonly Tried[], range: Range): number | undefined {
  if (tried.length === 0) return undefined;
  const kept = tried.filter(({ spare }) => spare >= 0).toSorted((a, b) => a.size - b.size)[0];
  const missed = tried
    .filter(({ size, spare }) => spare < 0 && (kept === undefined || size < kept.size))
    .toSorted((a, b) => b.size - a.size)[0];
  const from = kept ?? missed!;
  let change = -exchange * from.spare;
  if (kept !== undefined && missed !== undefined) {
    const gap = Math.log(missed.size / kept.size);
    const share = kept.spare / (kept.spare - missed.spare);
    change = gap * Math.min(0.8, Math.max(0.2, share));
  }
  // Further than a factor of two is a guess.
  const size = from.size * Math.exp(Math.min(Math.LN2, Math.max(-Math.LN2, change)));
  return rounded(Math.min(range.to, Math.max(range.from, size)));
}

/** The name of a point without its size. */
function familyOf(point: Point, { name }: Range): string {
  const { [name]: _size, ...rest } = point;
  return canonicalJson(rest);
}
