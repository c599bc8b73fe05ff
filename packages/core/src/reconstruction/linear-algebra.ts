/** A square matrix, row-major, in double precision. */
export interface Square {
  readonly size: number;
  readonly data: Float64Array;
}

/** The rows and columns of a matrix that are named, with a number added to its diagonal. */
export function principal({ size, data }: Square, indices: readonly number[], ridge: number): Square {
  const n = indices.length;
  const part = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) part[i * n + j] = data[indices[i]! * size + indices[j]!]!;
    part[i * n + i]! += ridge;
  }
  return { size: n, data: part };
}

/** The lower triangle L with L·Lᵀ = A; undefined where A is not positive definite. A stays as it is. */
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

/** x with L·Lᵀ·x = b. */
export function solve({ size: n, data: l }: Square, b: ArrayLike<number>): Float64Array {
  const x = Float64Array.from(b);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) x[i]! -= l[i * n + k]! * x[k]!;
    x[i]! /= l[i * n + i]!;
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) x[i]! -= l[k * n + i]! * x[k]!;
    x[i]! /= l[i * n + i]!;
  }
  return x;
}

/** (L·Lᵀ)⁻¹. */
export function inverse(l: Square): Square {
  const { size: n } = l;
  const data = new Float64Array(n * n);
  const unit = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    unit[i] = 1;
    data.set(solve(l, unit), i * n);
    unit[i] = 0;
  }
  return { size: n, data };
}
