/** Pixels between the baselines of two labels, and from a label to its line. */
const labelStep = 12;
const labelGap = -4;

/**
 * Offset of each label from its horizontal line at one of `levels`, in pixels, so that labels of neighbouring lines do not
 * overlap: upwards, as far as there is room.
 */
export function labelOffsets(
  levels: readonly number[],
  { domain: [low, high], log }: { readonly domain: readonly [number, number]; readonly log?: boolean },
  height: number,
): number[] {
  const scale = log ? Math.log : (x: number) => x;
  const lines = levels.map((value) => (height * (scale(high) - scale(value))) / (scale(high) - scale(low)));
  const fromBottom = [...lines.keys()].sort((a, b) => lines[b]! - lines[a]!);
  const at = lines.map((line) => line + labelGap);
  for (const [i, level] of fromBottom.entries()) {
    const below = fromBottom[i - 1];
    if (below !== undefined) at[level] = Math.min(at[level]!, at[below]! - labelStep);
  }
  for (const [i, level] of fromBottom.toReversed().entries())
    at[level] = Math.max(at[level]!, (i + 1) * labelStep);
  return at.map((baseline, i) => Math.round(10 * (baseline - lines[i]!)) / 10);
}
