/** The largest of a row, and sums along it. `dims` (see elementwise.ts) walks over everything but the row's axis. */
import { storeLanes, zero } from "./simd";

const AXIS: usize = 20;

/**
 * The `k` largest of `extent` numbers of x, largest first, and their positions (int32); equal ones go by position. `va`,
 * `ia`, `xa`: byte strides along the axis.
 */
export function topK(
  dims: usize, values: usize, indices: usize, x: usize, extent: i32, k: i32, va: usize, ia: usize, xa: usize,
): void {
  topAxis(load<i32>(dims), dims + 4, values, indices, x, extent, k, va, ia, xa);
}

function topAxis(
  rank: i32, dims: usize, values: usize, indices: usize, x: usize, extent: i32, k: i32, va: usize, ia: usize, xa: usize,
): void {
  const n = load<i32>(dims), vs = load<usize>(dims, 4), is = load<usize>(dims, 8), xs = load<usize>(dims, 12);
  for (let i = 0; i < n; i++) {
    if (rank > 1) topAxis(rank - 1, dims + AXIS, values, indices, x, extent, k, va, ia, xa);
    else topRow(values, indices, x, extent, k, va, ia, xa);
    values += vs;
    indices += is;
    x += xs;
  }
}

function topRow(values: usize, indices: usize, x: usize, extent: i32, k: i32, va: usize, ia: usize, xa: usize): void {
  let found = 0;
  for (let p = 0; p < extent; p++) {
    const value = load<f32>(x);
    x += xa;
    if (found == k && !(value > load<f32>(values + <usize>(k - 1) * va))) continue;
    let at = found == k ? k - 1 : found++;
    for (; at > 0; at--) {
      const before = load<f32>(values + <usize>(at - 1) * va);
      if (!(before < value)) break;
      store<f32>(values + <usize>at * va, before);
      store<i32>(indices + <usize>at * ia, load<i32>(indices + <usize>(at - 1) * ia));
    }
    store<f32>(values + <usize>at * va, value);
    store<i32>(indices + <usize>at * ia, p);
  }
}

/** y = the sum of x up to each position, without its own where `exclusive`. Negative strides sum from the end. */
export function cumulativeSum(dims: usize, y: usize, x: usize, extent: i32, ya: usize, xa: usize, exclusive: i32): void {
  sumAxis(load<i32>(dims), dims + 4, y, x, extent, ya, xa, exclusive);
}

function sumAxis(rank: i32, dims: usize, y: usize, x: usize, extent: i32, ya: usize, xa: usize, exclusive: i32): void {
  let n = load<i32>(dims);
  const ys = load<usize>(dims, 4), xs = load<usize>(dims, 8);
  if (rank > 1) {
    for (let i = 0; i < n; i++) {
      sumAxis(rank - 1, dims + AXIS, y, x, extent, ya, xa, exclusive);
      y += ys;
      x += xs;
    }
    return;
  }
  for (; n > 0; n -= 4) {
    let sum = zero(), to = y, p = x;
    for (let e = 0; e < extent; e++) {
      const next = f32x4.add(sum, v128.load(p));
      storeLanes(to, exclusive ? sum : next, n);
      sum = next;
      to += ya;
      p += xa;
    }
    y += 16;
    x += 16;
  }
}
