import { addExtents, type Extent, timesExtent } from "../graph/extent.ts";

/**
 * The composition of an axis: one dimension (its number), a product of expressions (outermost first, as in row-major
 * order), or a sum (one after the other along the axis). The empty product is an axis of extent 1 without a dimension.
 */
export type Expression =
  | number
  | { readonly product: readonly Expression[] }
  | { readonly sum: readonly Expression[] };

/** An axis of extent 1 without a dimension: the empty product. */
export const unit: Expression = Object.freeze({ product: [] });

/** Whether an expression is a product. */
export function isProduct(e: Expression): e is { readonly product: readonly Expression[] } {
  return typeof e !== "number" && "product" in e;
}

/** Whether an expression is a sum. */
export function isSum(e: Expression): e is { readonly sum: readonly Expression[] } {
  return typeof e !== "number" && "sum" in e;
}

/** Product with nested products flattened and units dropped. */
export function productOf(factors: readonly Expression[]): Expression {
  const flat = factors.flatMap((f) => (isProduct(f) ? f.product : [f]));
  return flat.length === 1 ? flat[0]! : { product: flat };
}

/** Sum with nested sums flattened. */
export function sumOf(terms: readonly Expression[]): Expression {
  const flat = terms.flatMap((t) => (isSum(t) ? t.sum : [t]));
  return flat.length === 1 ? flat[0]! : { sum: flat };
}

/** Extent of an expression, given its dimensions' extents. */
export function extentOf(e: Expression, sizes: (dimension: number) => Extent): Extent {
  if (typeof e === "number") return sizes(e);
  if (isProduct(e)) return e.product.map((f) => extentOf(f, sizes)).reduce(timesExtent, 1);
  return addExtents(e.sum.map((t) => extentOf(t, sizes)));
}

/**
 * Positions of an axis if each of its dimensions keeps only some indices. `indicesOf` returns those, ascending;
 * `around` gives the current position of each outer dimension among its kept indices, counted from
 * 0. `sizes` refers to all indices.
 */
export function positionsOf(
  e: Expression,
  sizes: (dimension: number) => Extent,
  indicesOf: (dimension: number, around: ReadonlyMap<number, number>) => readonly number[],
): number[] {
  const size = (part: Expression) => extentOf(part, sizes) as number;
  const visit = (part: Expression, around: ReadonlyMap<number, number>): readonly number[] => {
    if (typeof part === "number") return indicesOf(part, around);
    if (!isProduct(part)) {
      let start = 0;
      return part.sum.flatMap((term) => {
        const from = start;
        start += size(term);
        return visit(term, around).map((position) => from + position);
      });
    }
    const [first, ...rest] = part.product;
    if (first === undefined) return [0];
    const inner = { product: rest };
    const innerSize = size(inner);
    return visit(first, around).flatMap((outer, index) => {
      const context = typeof first === "number" ? new Map(around).set(first, index) : around;
      return visit(inner, context).map((position) => outer * innerSize + position);
    });
  };
  return [...visit(e, new Map())];
}

/** Every dimension in the expression, in order, with repetitions. */
export function dimensionsIn(e: Expression): number[] {
  if (typeof e === "number") return [e];
  return (isProduct(e) ? e.product : e.sum).flatMap(dimensionsIn);
}

/** Whether two expressions are written identically. */
export function sameExpression(a: Expression, b: Expression): boolean {
  if (typeof a === "number" || typeof b === "number") return a === b;
  if (isProduct(a) !== isProduct(b)) return false;
  const left = isProduct(a) ? a.product : a.sum;
  const right = isProduct(b) ? b.product : (b as { sum: readonly Expression[] }).sum;
  return left.length === right.length && left.every((e, i) => sameExpression(e, right[i]!));
}

/**
 * The index of each dimension at a position of an axis: a product is read like a number with mixed digits, and a sum
 * contributes only the term that contains the position.
 */
export function indicesAt(
  e: Expression,
  position: number,
  sizes: (dimension: number) => Extent,
): readonly (readonly [dimension: number, index: number])[] {
  if (typeof e === "number") return [[e, position]];
  if (isProduct(e)) {
    let rest = position;
    return e.product.toReversed().flatMap((factor) => {
      const extent = extentOf(factor, sizes) as number;
      const digit = rest % extent;
      rest = (rest - digit) / extent;
      return indicesAt(factor, digit, sizes);
    });
  }
  let start = 0;
  for (const term of e.sum) {
    const extent = extentOf(term, sizes) as number;
    if (position < start + extent) return indicesAt(term, position - start, sizes);
    start += extent;
  }
  return [];
}
