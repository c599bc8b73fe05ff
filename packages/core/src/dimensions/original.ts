import type { Extent } from "../graph/extent.ts";
import type { Dimension } from "./dimensions.ts";
import { type Expression, positionsOf } from "./expression.ts";

/** Size of a dimension before anything was pruned. */
export function originalSize(dimension: Dimension): Extent {
  return dimension.originalSize ?? dimension.size;
}

/** Original positions of an axis before anything was pruned, ascending. `list` holds the model's dimensions. */
export function originalPositions(e: Expression, list: readonly Dimension[]): number[] {
  return positionsOf(
    e,
    (d) => originalSize(list[d]!),
    (d, around) => originalIndices(list[d]!, around),
  );
}

/** `around` gives the current index, among those that are left, of each outer dimension. */
function originalIndices(
  { size, original, within }: Dimension,
  around: ReadonlyMap<number, number>,
): readonly number[] {
  if (original === undefined) return Array.from({ length: size as number }, (_, i) => i);
  const [first] = original;
  if (first === undefined || typeof first === "number") return original as readonly number[];
  return (original as readonly (readonly number[])[])[around.get(within!)!]!;
}
