/**
 * Scores (numbers ≥ 0, or −1 for those that come first), counted by their leading bits, which order non-negative floats
 * like their values. How many lie below a value, and which score has a given rank, is then found by looking at one
 * bucket, without a sorted copy.
 */
export interface RankedScores {
  readonly scores: Float32Array;
  /** Number of scores of −1. */
  readonly before: number;
  /** For each value of the leading 15 bits, the number of other scores that have it. */
  readonly counts: Uint32Array;
}

/** The position of a rank within each of several lists. */
export interface Lowest {
  /** The score of that rank, or 0 if it is −1. */
  readonly threshold: number;
  /** For each list, the number of scores below the threshold, and the number up to and including it. */
  readonly below: readonly number[];
  readonly upTo: readonly number[];
}

const buckets = 1 << 15;
const negativeZero = 1 << 31;

/** The bits of a score as an integer in the order of the scores; −1 for −1. */
const keyOf = (bits: number) => (bits >= 0 ? bits : bits === negativeZero ? 0 : -1);
const bitsOf = (scores: Float32Array) => new Int32Array(scores.buffer, scores.byteOffset, scores.length);

/** Counts scores once; every rank found later takes one more pass. */
export function rankScores(scores: Float32Array): RankedScores {
  const counts = new Uint32Array(buckets);
  const bits = bitsOf(scores);
  let before = 0;
  for (let i = 0; i < bits.length; i++) {
    const key = keyOf(bits[i]!);
    if (key < 0) before++;
    else counts[key >>> 16]!++;
  }
  return { scores, before, counts };
}

/** Finds the score with the given rank among all lists together, counted from 1, and its position within each list. */
export function findRank(lists: readonly RankedScores[], rank: number): Lowest {
  let left = rank - lists.reduce((n, { before }) => n + before, 0);
  const totals = new Uint32Array(buckets);
  for (const { counts } of lists) for (let i = 0; i < buckets; i++) totals[i]! += counts[i]!;
  let bucket = 0;
  for (; bucket < buckets - 1 && totals[bucket]! < left; bucket++) left -= totals[bucket]!;
  const below = lists.map(({ before, counts }) =>
    counts.subarray(0, bucket).reduce((n, count) => n + count, before),
  );
  const endings = lists.map((list) => endingsIn(list, bucket));
  const reach = (ending: number) => endings.reduce((n, sorted) => n + countUpTo(sorted, ending), 0);
  let [low, high] = [-1, 0xffff];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (reach(middle) >= left) high = middle;
    else low = middle;
  }
  return {
    threshold: new Float32Array(Int32Array.of((bucket << 16) | high).buffer)[0]!,
    below: endings.map((sorted, i) => below[i]! + countUpTo(sorted, high - 1)),
    upTo: endings.map((sorted, i) => below[i]! + countUpTo(sorted, high)),
  };
}

/** The last 16 bits of a bucket's scores, ascending. */
function endingsIn({ scores, counts }: RankedScores, bucket: number): Uint16Array {
  const endings = new Uint16Array(counts[bucket]!);
  if (endings.length === 0) return endings;
  const bits = bitsOf(scores);
  let at = 0;
  // A score that is counted but was not visited is −0, whose low bits are zero.
  for (let i = 0; i < bits.length; i++) if (bits[i]! >>> 16 === bucket) endings[at++] = bits[i]! & 0xffff;
  return endings.sort();
}

/** A bitset of the scores above the `rank`-th lowest; among equal scores, earlier ones count as lower. */
export function bitsAbove(ranked: RankedScores, rank: number): { threshold: number; bits: Uint8Array } {
  const { threshold, below, upTo } = findRank([ranked], rank);
  const scores = bitsOf(ranked.scores);
  const limit = bitsOf(Float32Array.of(threshold))[0]!;
  const bits = new Uint8Array(Math.ceil(scores.length / 8));
  // The sign of a difference instead of a comparison: the branch would be unpredictable, and a misprediction takes
  // longer.
  for (let at = 0, i = 0; at < bits.length; at++) {
    let byte = 0;
    for (const end = Math.min(8, scores.length - i), start = i; i < start + end; i++) {
      const score = scores[i]!;
      byte |= ((limit - (score & ~(score >> 31))) >>> 31) << (i & 7);
    }
    bits[at] = byte;
  }
  let ties = rank - below[0]!;
  if (ties < upTo[0]! - below[0]!) {
    for (let i = 0; i < scores.length; i++)
      if (keyOf(scores[i]!) === limit && ties-- <= 0) bits[i >> 3]! |= 1 << (i & 7);
  }
  return { threshold, bits };
}

/** How many numbers of a sorted list are at most a value. */
function countUpTo(sorted: Uint16Array, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! > value) high = middle;
    else low = middle + 1;
  }
  return low;
}
