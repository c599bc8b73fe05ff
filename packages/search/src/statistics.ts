/**
 * Spearman's rank correlation of two lists, from −1 to 1; equal values share their mean rank. NaN with fewer than three
 * pairs, or if all values of a list are equal.
 */
export function rankCorrelation(a: readonly number[], b: readonly number[]): number {
  return a.length < 3 ? Number.NaN : correlation(ranksOf(a), ranksOf(b));
}

/** The same between `a` and `b` at equal `c`: partial correlation, which removes what both owe to the third. */
export function partialRankCorrelation(
  a: readonly number[],
  b: readonly number[],
  c: readonly number[],
): number {
  const [ab, ac, bc] = [rankCorrelation(a, b), rankCorrelation(a, c), rankCorrelation(b, c)];
  return (ab - ac * bc) / Math.sqrt((1 - ac ** 2) * (1 - bc ** 2));
}

/**
 * The area that a front dominates, up to a corner: of points (x, y), both to be small, what lies right above at least
 * one and left below the corner (hypervolume; Zitzler and Thiele, 1998).
 */
export function hypervolume(
  points: readonly (readonly [x: number, y: number])[],
  [right, top]: readonly [x: number, y: number],
): number {
  const inside = points
    .filter(([x, y]) => x < right && y < top)
    .toSorted((p, q) => p[0] - q[0] || p[1] - q[1]);
  let area = 0;
  let level = top;
  for (const [x, y] of inside) {
    if (y >= level) continue;
    area += (right - x) * (level - y);
    level = y;
  }
  return area;
}

function ranksOf(values: readonly number[]): number[] {
  return values.map((value) => {
    const below = values.filter((other) => other < value).length;
    const equal = values.filter((other) => other === value).length;
    return below + (equal + 1) / 2;
  });
}

function correlation(a: readonly number[], b: readonly number[]): number {
  const mean = (list: readonly number[]) => list.reduce((sum, x) => sum + x, 0) / list.length;
  const [ma, mb] = [mean(a), mean(b)];
  const sum = (f: (x: number, y: number) => number) =>
    a.reduce((total, x, i) => total + f(x - ma, b[i]! - mb), 0);
  return sum((x, y) => x * y) / Math.sqrt(sum((x) => x * x) * sum((_, y) => y * y));
}
