import type { Extent } from "../graph/extent.ts";
import type { Dimension } from "./dimensions.ts";
import { type Expression, extentOf, isProduct } from "./expression.ts";

/** Size of a dimension before anything was pruned. */
export function originalSize(dimension: Dimension): Extent {
  return dimension.originalSize ?? dimension.size;
}

/** Where the positions of an axis lay before anything was pruned, ascending. `list` are the model's dimensions. */
export function originalPositions(e: Expression, list: readonly Dimension[]): number[] {
  const before = (part: Expression) => extentOf(part, (d) => originalSize(list[d]!)) as number;
  const visit = (part: Expression, around: ReadonlyMap<number, number>): readonly number[] => {
    if (typeof part === "number") return originalIndices(list[part]!, around);
    if (!isProduct(part)) {
      let start = 0;
      return part.sum.flatMap((term) => {
        const from = start;
        start += before(term);
        return visit(term, around).map((position) => from + position);
      });
    }
    const [first, ...rest] = part.product;
    if (first === undefined) return [0];
    const inner = { product: rest };
    const innerSize = before(inner);
    return visit(first, around).flatMap((outer, index) => {
      const context = typeof first === "number" ? new Map(around).set(first, index) : around;
      return visit(inner, context).map((position) => outer * innerSize + position);
    });
  };
  return [...visit(e, new Map())];
}

/** `around`: which index, of those that are left, of each dimension further out. */
function originalIndices(
  { size, original, within }: Dimension,
  around: ReadonlyMap<number, number>,
): readonly number[] {
  if (original === undefined) return Array.from({ length: size as number }, (_, i) => i);
  const [first] = original;
  if (first === undefined || typeof first === "number") return original as readonly number[];
  return (original as readonly (readonly number[])[])[around.get(within!)!]!;
}
