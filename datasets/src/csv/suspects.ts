import type { RawRows } from "../missing.ts";

/** Numbers that programs write where they have none: runs of nines, limits of integers, very large ones. */
const usual =
  /^-?9{2,}(?:\.[09]+)?$|^-?32768$|^32767$|^65535$|^-?1e(?:20|30|34|37)$|^-?2147483648$|^2147483647$/;

/**
 * Values that may stand for missing ones: the largest or the smallest of a series, farther from the next than all
 * others lie apart, and repeated, or one that is usual for it.
 *
 * @returns a line for each.
 */
export function suspects(raw: RawRows): string[] {
  const { columns, rows, values } = raw;
  const series = new Float64Array(rows);
  const totals = endsInTotals(raw)
    ? ["the last row is the sum of all others: if it holds totals, delete it"]
    : [];
  const lines = columns.flatMap((name, column) => {
    let count = 0;
    for (let at = column; at < values.length; at += columns.length) {
      if (!Number.isNaN(values[at])) series[count++] = values[at]!;
    }
    const sorted = series.slice(0, count).sort();
    return [suspect(sorted), suspect(sorted.map((value) => -value).sort(), -1)]
      .filter((found) => found !== undefined)
      .map(
        ({ value, count, low, high }) =>
          `column "${name}": ${value} stands there ${count === 1 ? "once" : `${count} times`}, far from all other values (${low} to ${high}); if it stands for missing ones, give --na ${value}`,
      );
  });
  return [...totals, ...lines];
}

/** Whether the last row holds, in every column, what the rows before it add up to. */
function endsInTotals({ columns, rows, values }: RawRows): boolean {
  if (rows < 10) return false;
  return columns.every((_, column) => {
    let [sum, size] = [0, 0];
    for (let row = 0; row < rows - 1; row++) {
      const value = values[row * columns.length + column]!;
      if (Number.isNaN(value)) continue;
      sum += value;
      size += Math.abs(value);
    }
    const last = values[(rows - 1) * columns.length + column]!;
    return size > 0 && Math.abs(last - sum) <= 1e-4 * size && Math.abs(last) > 0.5 * size;
  });
}

/** Whether the first of ascending values is one. */
function suspect(
  sorted: Float64Array,
  sign = 1,
): { value: number; count: number; low: number; high: number } | undefined {
  const value = sorted[0]!;
  let count = 0;
  while (sorted[count] === value) count++;
  const rest = sorted.subarray(count);
  if (rest.length < 10) return undefined;
  const [low, high] = [rest[0]!, rest.at(-1)!];
  if (low - value <= high - low) return undefined;
  // Flags and counters have few values: nothing is odd about one that lies apart.
  if (distinct(rest, 10) < 10 || !(count > 1 || usual.test(`${sign * value}`))) return undefined;
  return {
    value: sign * value,
    count,
    low: Math.min(sign * low, sign * high),
    high: Math.max(sign * low, sign * high),
  };
}

function distinct(sorted: Float64Array, enough: number): number {
  let count = 1;
  for (let i = 1; i < sorted.length && count < enough; i++) if (sorted[i] !== sorted[i - 1]) count++;
  return count;
}
