/** From `start` up to, not including, `end`. */
export type Range = readonly [start: number, end: number];

/** 0 … extent in so many ranges of nearly equal length, each but the last a multiple of `grain`; fewer where it is too short. */
export function cut(extent: number, parts: number, grain = 1): Range[] {
  const grains = Math.ceil(extent / grain);
  const count = Math.min(parts, grains);
  const at = (i: number) => Math.min(extent, Math.floor((i * grains) / count) * grain);
  return Array.from({ length: count }, (_, i): Range => [at(i), at(i + 1)]);
}

/** Share of the longest of those ranges: what others wait for. */
export function longestShare(extent: number, parts: number, grain = 1): number {
  const grains = Math.ceil(extent / grain);
  return extent === 0 ? 1 : Math.min(extent, Math.ceil(grains / Math.min(parts, grains)) * grain) / extent;
}

/** Rows in so many ranges that hold nearly equally many of what `starts` counts, each row counting `perRow` more. */
export function cutByWeight(starts: Int32Array, parts: number, perRow: number): Range[] {
  const rows = starts.length - 1;
  const weight = (row: number) => starts[row]! + perRow * row;
  const ranges: Range[] = [];
  let start = 0;
  for (let i = 1; i <= parts && start < rows; i++) {
    let end = i === parts ? rows : start + 1;
    while (end < rows && weight(end) < (i * weight(rows)) / parts) end++;
    ranges.push([start, end]);
    start = end;
  }
  return ranges;
}
