import { cholesky, inverseFactor, principal, type Square, solve } from "./linear-algebra.ts";

/**
 * Least squares for the columns w of a matrix: each minimises wᵀHw − 2wᵀt, the squared distance of x·w from its target,
 * with H = Σ xᵀx and t = Σ xᵀy.
 */
export interface Problem {
  readonly moments: Square;
  /** t by column. */
  readonly targets: readonly Float64Array[];
  /** Current w by column: 0 where it is not free. */
  readonly columns: readonly Float64Array[];
  /** Indices of w that may change, ascending, by column. */
  readonly free: readonly (readonly number[])[];
  /** Ridge, added to the diagonal of H. */
  readonly ridge: number;
}

/** How columns are solved: exactly, or in one sweep for all of them. */
export type RefitMethod = "least-squares" | "obs";

/** Multiply-adds of exact solving above which one sweep is used instead. */
const exactLimit = 5e8;

/**
 * Refits the columns. Uses least squares while that is cheap: columns with the same free indices share one
 * factorisation. Otherwise the update of the Optimal Brain Surgeon in SparseGPT's order (Hassibi and Stork, 1993;
 * Frantar and Alistarh, 2023), which needs one factorisation for all. A column that would end further from its target
 * is left unchanged. `before` and `after` are the columns' `excess`.
 */
export function refit(
  problem: Problem,
  before: readonly number[],
  method?: RefitMethod,
): { readonly columns: Float64Array[]; readonly after: readonly number[] } {
  const exact = method === undefined ? exactCost(problem.free) <= exactLimit : method === "least-squares";
  const solved = exact ? leastSquares(problem) : surgeon(problem);
  const after = [...before];
  const columns = problem.columns.map((old, o) => {
    const column = solved[o];
    const error = column === undefined ? Number.NaN : excess(problem, o, column);
    if (column === undefined || !(error <= before[o]!)) return old;
    after[o] = error;
    return column;
  });
  return { columns, after };
}

/** wᵀHw − 2wᵀt of a column: its squared error up to a constant. */
export function excess({ moments: { size, data }, targets }: Problem, o: number, w: Float64Array): number {
  const t = targets[o]!;
  let sum = 0;
  for (let i = 0; i < size; i++) {
    if (w[i] === 0) continue;
    let product = -2 * t[i]!;
    for (let j = 0; j < size; j++) product += data[i * size + j]! * w[j]!;
    sum += w[i]! * product;
  }
  return sum;
}

function exactCost(free: Problem["free"]): number {
  const sizes = new Map(free.map((indices) => [indices.join(), indices.length]));
  return [...sizes.values()].reduce((sum, n) => sum + n ** 3 / 3, 0);
}

/** The best free weights, with all others fixed; the ridge holds them close to their old values, so that no error rises. */
function leastSquares(problem: Problem): (Float64Array | undefined)[] {
  const { columns, free, moments, ridge } = problem;
  const factors = new Map<string, Square | undefined>();
  return columns.map((w, o) => {
    const indices = free[o]!;
    if (indices.length === 0) return undefined;
    const key = indices.join();
    if (!factors.has(key)) factors.set(key, cholesky(principal(moments, indices, ridge)));
    const factor = factors.get(key);
    if (factor === undefined) return undefined;
    const r = residual(problem, o);
    const step = solve(
      factor,
      indices.map((i) => r[i]!),
    );
    const result = Float64Array.from(w);
    indices.forEach((index, i) => {
      result[index]! += step[i]!;
    });
    return result;
  });
}

/** t − H·w. */
function residual({ moments: { size, data }, targets, columns }: Problem, o: number): Float64Array {
  const w = columns[o]!;
  return targets[o]!.map((t, i) => {
    let sum = t;
    for (let j = 0; j < size; j++) sum -= data[i * size + j]! * w[j]!;
    return sum;
  });
}

/** The best weights as if all were free; then each that is not becomes zero in turn, and later ones compensate. */
function surgeon(problem: Problem): (Float64Array | undefined)[] {
  const { columns, free, moments, ridge } = problem;
  const { size } = moments;
  const all = Array.from({ length: size }, (_, i) => i);
  const damped = principal(moments, all, ridge);
  const factor = cholesky(damped);
  const upper = inverseFactor(damped)?.data;
  if (factor === undefined || upper === undefined) return columns.map(() => undefined);
  return columns.map((before, o) => {
    const step = solve(factor, residual(problem, o));
    const w = before.map((value, i) => value + step[i]!);
    const isFree = new Uint8Array(size);
    for (const i of free[o]!) isFree[i] = 1;
    for (let i = 0; i < size; i++) {
      if (isFree[i] === 1) continue;
      const error = w[i]! / upper[i * size + i]!;
      for (let j = i + 1; j < size; j++) w[j]! -= error * upper[i * size + j]!;
      w[i] = 0;
    }
    return w;
  });
}
