import { divideExtent, type Extent, factorOf, isBatch, sameExtent } from "../graph/extent.ts";
import type { Node } from "../graph/graph.ts";
import type { AxisUse, Coupling, Operand } from "./coupling.ts";
import {
  dimensionsIn,
  type Expression,
  extentOf,
  isProduct,
  isSum,
  productOf,
  sameExpression,
  sumOf,
  unit,
} from "./expression.ts";

/** A use of an axis, with the node that uses it. */
interface Use {
  readonly axis: Expression;
  readonly use: AxisUse;
  readonly node: Node | undefined;
}

function isUnit(e: Expression): boolean {
  return isProduct(e) && e.product.length === 0;
}

const mixed = "a reshape mixes its positions with another axis's";
const mixedIn = "a reshape mixes it into an axis that is fixed";

/** Largest number of terms that an axis is followed through: a file may join an axis with itself without end. */
const maxTerms = 256;

/**
 * Unification of axes. Every unknown dimension is a variable; equating two axes binds one to the other, and a reshape
 * binds a dimension to a product of finer ones everywhere it occurs. Constraints that cannot be expressed freeze the
 * dimension, with a reason.
 */
export class Solver implements Coupling {
  readonly #sizes: Extent[] = [];
  readonly #bindings: (Expression | undefined)[] = [];
  readonly #reasons: (string | undefined)[] = [];
  readonly #declared = new Set<number>();
  readonly #uses: Use[] = [];
  /** The node that is being coupled; reasons name it. */
  node: Node | undefined;

  /** Axes of a value whose dimensions are not known yet; an axis of extent 1 carries none. */
  fresh(shape: readonly Extent[]): Expression[] {
    return shape.map((extent) => (extent === 1 ? unit : this.#variable(extent)));
  }

  /** A dimension that is already known, possibly of extent 1. */
  dimension(extent: Extent): number {
    const dimension = this.#variable(extent);
    this.#declared.add(dimension);
    return dimension;
  }

  resolve(e: Expression): Expression {
    if (typeof e === "number") {
      const bound = this.#bindings[e];
      if (bound === undefined) return e;
      const resolved = this.resolve(bound);
      this.#bindings[e] = resolved;
      return resolved;
    }
    return isProduct(e)
      ? productOf(e.product.map((f) => this.resolve(f)))
      : sumOf(e.sum.map((t) => this.resolve(t)));
  }

  size(dimension: number): Extent {
    return this.#sizes[dimension]!;
  }

  reason(dimension: number): string | undefined {
    // Whatever is merged with the batch (heads, in [batch · heads, …]) stays free: holding the batch is no reason to
    // fix an axis.
    return isBatch(this.#sizes[dimension]!) ? "it is the batch" : this.#reasons[dimension];
  }

  /** The uses seen of each dimension. */
  uses(): Map<number, Set<AxisUse>> {
    const result = new Map<number, Set<AxisUse>>();
    for (const { axis, use } of this.#uses) {
      for (const dimension of dimensionsIn(this.resolve(axis))) {
        result.set(dimension, (result.get(dimension) ?? new Set()).add(use));
      }
    }
    return result;
  }

  same(a: Expression, b: Expression): void {
    this.#unify(this.resolve(a), this.resolve(b));
  }

  sameAll(a: Operand, b: Operand): void {
    a.axes.forEach((axis, i) => {
      this.same(axis, b.axes[i]!);
    });
  }

  broadcast(from: Operand, to: Operand): void {
    const lead = to.axes.length - from.axes.length;
    from.axes.forEach((axis, i) => {
      if (sameExtent(from.shape[i]!, to.shape[i + lead]!)) this.same(axis, to.axes[i + lead]!);
    });
  }

  regroup(from: readonly Expression[], to: readonly Expression[]): void {
    this.#align(this.#factors(productOf(from)), this.#factors(productOf(to)));
  }

  join(parts: readonly Expression[], whole: Expression): void {
    let terms = 0;
    for (const part of parts) {
      terms += this.#terms(part).length;
      if (terms <= maxTerms) continue;
      for (const axis of new Set([...parts, whole]))
        this.fixed(axis, `it is joined from more than ${maxTerms} parts`);
      return;
    }
    this.same(sumOf(parts), whole);
  }

  select(whole: Expression, part: Expression, start: number, end: number): void {
    const terms = this.#cut(this.#cut([whole], start), end);
    if (terms === undefined) {
      const reason = "Slice picks positions inside it";
      this.fixed(whole, reason);
      this.fixed(part, reason);
      return;
    }
    let at = 0;
    const inside = terms.filter((term) => {
      const from = at;
      at += this.#extent(term) as number;
      return from >= start && at <= end;
    });
    this.same(sumOf(inside), part);
  }

  fixed(axis: Expression, reason: string): void {
    for (const dimension of dimensionsIn(this.resolve(axis))) {
      this.#reasons[dimension] ??= this.node === undefined ? reason : `${reason} (${this.node.name})`;
    }
  }

  note(axis: Expression, use: AxisUse): void {
    this.#uses.push({ axis, use, node: this.node });
  }

  /** Axes that nodes contract or sum over, as far as known. */
  contracted(): { readonly axis: Expression; readonly node: Node }[] {
    return this.#uses.flatMap(({ axis, use, node }) =>
      use === "contracted" && node !== undefined ? [{ axis: this.resolve(axis), node }] : [],
    );
  }

  #variable(extent: Extent): number {
    this.#sizes.push(extent);
    this.#bindings.push(undefined);
    this.#reasons.push(undefined);
    return this.#sizes.length - 1;
  }

  #extent(e: Expression): Extent {
    return extentOf(e, (dimension) => this.#sizes[dimension]!);
  }

  #isDeclared(e: Expression): boolean {
    return dimensionsIn(e).every((dimension) => this.#declared.has(dimension));
  }

  #bind(dimension: number, to: Expression): void {
    if (this.#bindings[dimension] !== undefined) throw new Error(`dimension ${dimension} is bound twice`);
    const reason = this.#reasons[dimension];
    if (reason !== undefined) {
      const inherited = isProduct(to) && !reason.startsWith(mixedIn) ? `${mixedIn}: ${reason}` : reason;
      for (const d of dimensionsIn(to)) this.#reasons[d] ??= inherited;
    }
    this.#bindings[dimension] = to;
  }

  #freeze(...expressions: readonly Expression[]): void {
    for (const e of expressions) this.fixed(e, mixed);
  }

  #unify(a: Expression, b: Expression): void {
    if (sameExpression(a, b)) return;
    // An axis of extent 1 without a dimension says nothing about one that is known to have it.
    if (isUnit(a) ? this.#isDeclared(b) : isUnit(b) && this.#isDeclared(a)) return;
    if (!sameExtent(this.#extent(a), this.#extent(b))) {
      this.#freeze(a, b);
      return;
    }
    if (typeof a === "number" || typeof b === "number") {
      const [variable, other] = typeof a === "number" ? [a, b] : [b as number, a];
      // The older of two variables stays, so that names do not depend on the order of coupling.
      if (typeof other === "number") this.#bind(Math.max(variable, other), Math.min(variable, other));
      else if (dimensionsIn(other).includes(variable)) this.#freeze(a, b);
      else this.#bind(variable, other);
    } else if (isSum(a) && isSum(b)) this.#alignSums(a.sum, b.sum);
    else this.#align(this.#factors(a), this.#factors(b));
  }

  /** The factors of an expression; `n` equal terms count as a fixed factor n and the term. */
  #factors(e: Expression): readonly Expression[] {
    if (isProduct(e)) return e.product;
    if (!isSum(e)) return [e];
    const [first] = e.sum;
    if (!e.sum.every((term) => sameExpression(term, first!))) return [e];
    const copies = this.#variable(e.sum.length);
    this.fixed(copies, "it counts joined copies");
    return [copies, ...this.#factors(first!)];
  }

  /** Matches two lists of factors of equal product, refining from both ends; a middle that does not fit freezes. */
  #align(left: readonly Expression[], right: readonly Expression[]): void {
    let a = [...left];
    let b = [...right];
    for (;;) {
      a = a.flatMap((f) => this.#factors(this.resolve(f)));
      b = b.flatMap((f) => this.#factors(this.resolve(f)));
      if (a.length === 1 && b.length === 1) {
        this.#unifyFactors(a[0]!, b[0]!);
        return;
      }
      const both = a.length > 0 && b.length > 0;
      if (both && (this.#matchEnd(a, b, 0) || this.#matchEnd(a, b, -1))) continue;
      this.#freeze(...a, ...b);
      return;
    }
  }

  #unifyFactors(a: Expression, b: Expression): void {
    if (typeof a !== "number" && typeof b !== "number" && !(isSum(a) && isSum(b))) {
      if (!sameExpression(a, b)) this.#freeze(a, b);
    } else this.#unify(a, b);
  }

  /** Unifies the outermost (0) or innermost (−1) factors and splits the larger one; false if that is impossible. */
  #matchEnd(a: Expression[], b: Expression[], end: 0 | -1): boolean {
    const [x, y] = [a.at(end)!, b.at(end)!];
    const [sizeX, sizeY] = [this.#extent(x), this.#extent(y)];
    const drop = (list: Expression[]) => (end === 0 ? list.shift() : list.pop());
    if (sameExtent(sizeX, sizeY)) {
      drop(a);
      drop(b);
      this.#unifyFactors(x, y);
      return true;
    }
    return this.#split(x, sizeY, end) || this.#split(y, sizeX, end);
  }

  /** Makes a dimension the product of a part of `extent` at one end and the rest; the dimension must be a variable. */
  #split(e: Expression, extent: Extent, end: 0 | -1): boolean {
    const size = this.#extent(e);
    const rest = divideExtent(size, extent);
    if (typeof e !== "number" || rest === undefined || factorOf(rest) < 1 || sameExtent(rest, 1))
      return false;
    // A factor of 1 (or of an empty axis) cannot be split off: that would never end.
    if (sameExtent(extent, 1) || factorOf(extent) < 1) return false;
    const part = this.#variable(extent);
    const other = this.#variable(rest);
    this.#bind(e, { product: end === 0 ? [part, other] : [other, part] });
    return true;
  }

  /** The terms of an expression: splitting a dimension splits it everywhere else too. */
  #terms(e: Expression): readonly Expression[] {
    const resolved = this.resolve(e);
    return isSum(resolved) ? resolved.sum : [resolved];
  }

  /** The terms with a border at `position`, splitting a dimension if necessary; undefined if that is impossible. */
  #cut(before: readonly Expression[] | undefined, position: number): readonly Expression[] | undefined {
    if (before === undefined) return undefined;
    const terms = before.flatMap((term) => this.#terms(term));
    let at = 0;
    for (const term of terms) {
      if (at === position) return terms;
      const extent = this.#extent(term);
      if (isBatch(extent)) return undefined;
      if (position < at + extent) {
        // A fixed dimension stays whole: splitting gains nothing, and other axes keep a simple form.
        if (typeof term !== "number" || this.#reasons[term] !== undefined || terms.length >= maxTerms)
          return undefined;
        const parts = [this.#variable(position - at), this.#variable(at + extent - position)];
        this.#bind(term, { sum: parts });
        return terms.flatMap((one) => this.#terms(one));
      }
      at += extent;
    }
    return terms;
  }

  /**
   * Matches two sums of one extent term by term. A roll matches a sum with its own terms in another order: every cut of
   * one side may then cut the other, until all borders agree.
   */
  #alignSums(left: readonly Expression[], right: readonly Expression[]): void {
    let [a, b]: [readonly Expression[], readonly Expression[]] = [left, right];
    for (;;) {
      a = a.flatMap((term) => this.#terms(term));
      b = b.flatMap((term) => this.#terms(term));
      const [ends, others] = [this.#ends(a), this.#ends(b)];
      const missingInA = others.find((end) => !ends.includes(end));
      const missingInB = ends.find((end) => !others.includes(end));
      if (missingInA === undefined && missingInB === undefined) break;
      const cut = missingInA === undefined ? this.#cut(b, missingInB!) : this.#cut(a, missingInA);
      if (cut === undefined) {
        this.#freeze(...left, ...right);
        return;
      }
    }
    a.forEach((term, i) => {
      this.same(term, b[i]!);
    });
  }

  /** End position of each term. */
  #ends(terms: readonly Expression[]): number[] {
    let at = 0;
    return terms.map((term) => {
      at += factorOf(this.#extent(term));
      return at;
    });
  }
}
