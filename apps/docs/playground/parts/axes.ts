/** Round numbers that cover an interval, about `wanted` of them. */
export function ticksOf(low: number, high: number, wanted = 4): number[] {
  const span = high - low || 1;
  const rough = span / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const distance = (factor: number) => Math.abs(Math.log((factor * power) / rough));
  const step = power * [1, 2, 5, 10].reduce((a, b) => (distance(b) < distance(a) ? b : a));
  const ticks: number[] = [];
  // Counted, not added up: sums of 0.1 are no tenths.
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++)
    ticks.push(Number((i * step).toPrecision(12)));
  return ticks;
}

/** A line through points, as an SVG path. */
export function pathOf(
  values: ArrayLike<number>,
  x: (i: number) => number,
  y: (value: number) => number,
): string {
  let path = "";
  for (let i = 0; i < values.length; i++)
    path += `${i === 0 ? "M" : "L"}${x(i).toFixed(1)} ${y(values[i]!).toFixed(1)}`;
  return path;
}
