/** A square matrix, row-major, in double precision. */
export interface Square {
  readonly size: number;
  readonly data: Float64Array;
}

/** The given rows and columns of a matrix, with a number added to its diagonal. */
export function principal({ size, data }: Square, indices: readonly number[], ridge: number): Square {
  const n = indices.length;
  const part = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) part[i * n + j] = data[indices[i]! * size + indices[j]!]!;
    part[i * n + i]! += ridge;
  }
  return { size: n, data: part };
}

/** The lower triangle L with L·Lᵀ = A; undefined if A is not positive definite. A is not modified. */
export function cholesky({ size: n, data }: Square): Square | undefined {
  const l = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = data[i * n + j]!;
      for (let k = 0; k < j; k++) sum -= l[i * n + k]! * l[j * n + k]!;
      if (i === j) {
        if (!(sum > 0)) return undefined;
        l[i * n + i] = Math.sqrt(sum);
      } else l[i * n + j] = sum / l[j * n + j]!;
    }
  }
  return { size: n, data: l };
}

/** Solves L·Lᵀ·x = b for x. */
export function solve({ size: n, data: l }: Square, b: ArrayLike<number>): Float64Array {
  const x = Float64Array.from(b);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) x[i]! -= l[i * n + k]! * x[k]!;
    x[i]! /= l[i * n + i]!;
  }
  // Row by row, the order in which L is stored.
  for (let i = n - 1; i >= 0; i--) {
    x[i]! /= l[i * n + i]!;
    for (let k = 0; k < i; k++) x[k]! -= l[i * n + k]! * x[i]!;
  }
  return x;
}

/**
 * The upper triangle U with Uᵀ·U = A⁻¹; undefined if A is not positive definite. With rows and columns in reverse order
 * A = M·Mᵀ, so that U is M⁻¹ in reverse order; no inverse of A is computed.
 */
export function inverseFactor({ size: n, data }: Square): Square | undefined {
  const m = cholesky({ size: n, data: Float64Array.from(data).reverse() })?.data;
  if (m === undefined) return undefined;
  const upper = new Float64Array(n * n);
  const column = new Float64Array(n);
  for (let j = 0; j < n; j++) {
    column[j] = 1 / m[j * n + j]!;
    for (let i = j + 1; i < n; i++) {
      let sum = 0;
      for (let k = j; k < i; k++) sum -= m[i * n + k]! * column[k]!;
      column[i] = sum / m[i * n + i]!;
    }
    for (let i = j; i < n; i++) upper[(n - 1 - i) * n + n - 1 - j] = column[i]!;
  }
  return { size: n, data: upper };
}
