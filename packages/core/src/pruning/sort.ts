/**
 * An ascending copy of scores: numbers ≥ 0, or −1 for those that come first. Least-significant-digit radix sort on the
 * bits, which order non-negative floats like their values: 5 million numbers take 70 ms, with `Float32Array.sort` 460
 * ms (Node 24).
 */
export function sortScores(scores: Float32Array): Float32Array {
  // −1 is sorted as 0, at the front, and restored at the end.
  let first = 0;
  const lifted = scores.slice();
  for (let i = 0; i < lifted.length; i++) {
    if (lifted[i]! > 0) continue;
    if (lifted[i]! < 0) first++;
    lifted[i] = 0;
  }
  let from = new Uint32Array(lifted.buffer);
  let to = new Uint32Array(from.length);
  for (let shift = 0; shift < 32; shift += digitBits) {
    const starts = countDigits(from, shift);
    if (starts === undefined) continue;
    for (let i = 0; i < from.length; i++) {
      const value = from[i]!;
      to[starts[(value >>> shift) & digitMask]!++] = value;
    }
    [from, to] = [to, from];
  }
  return new Float32Array(from.buffer).fill(-1, 0, first);
}

const digitBits = 11;
const digitMask = (1 << digitBits) - 1;

/** Start of the numbers with each digit; undefined if all have the same. */
function countDigits(values: Uint32Array, shift: number): Uint32Array | undefined {
  const counts = new Uint32Array(digitMask + 1);
  for (let i = 0; i < values.length; i++) counts[(values[i]! >>> shift) & digitMask]!++;
  let sum = 0;
  for (let digit = 0; digit < counts.length; digit++) {
    const count = counts[digit]!;
    if (count === values.length) return undefined;
    counts[digit] = sum;
    sum += count;
  }
  return counts;
}
