/**
 * Windows that slide along one axis, four neighbours beside it at a time. `dims` (see elementwise.ts) walks over everything
 * but that axis; `outputs` and `extent` are its positions behind and before the window, a byte stride belongs to each
 * operand. Positions outside never count.
 */
import { storeLanes, zero } from "./simd";

const AXIS: usize = 20;

/** y = the mean of each window of x, or with `largest` its largest value. */
export function pool(
  dims: usize, y: usize, x: usize, outputs: i32, extent: i32, ya: usize, xa: usize,
  kernel: i32, stride: i32, before: i32, largest: i32,
): void {
  poolAxis(load<i32>(dims), dims + 4, y, x, outputs, extent, ya, xa, kernel, stride, before, largest);
}

function poolAxis(
  rank: i32, dims: usize, y: usize, x: usize, outputs: i32, extent: i32, ya: usize, xa: usize,
  kernel: i32, stride: i32, before: i32, largest: i32,
): void {
  let n = load<i32>(dims);
  const ys = load<usize>(dims, 4), xs = load<usize>(dims, 8);
  if (rank > 1) {
    for (let i = 0; i < n; i++) {
      poolAxis(rank - 1, dims + AXIS, y, x, outputs, extent, ya, xa, kernel, stride, before, largest);
      y += ys;
      x += xs;
    }
    return;
  }
  for (; n > 0; n -= 4) {
    let to = y;
    for (let o = 0; o < outputs; o++) {
      const start = max(0, o * stride - before), end = min(extent, o * stride - before + kernel);
      let p = x + <usize>start * xa;
      let value = v128.load(p);
      p += xa;
      if (largest) {
        for (let k = start + 1; k < end; k++) {
          const other = v128.load(p);
          value = v128.bitselect(other, value, f32x4.gt(other, value));
          p += xa;
        }
      } else {
        for (let k = start + 1; k < end; k++) {
          value = f32x4.add(value, v128.load(p));
          p += xa;
        }
        value = f32x4.mul(value, f32x4.splat(<f32>1 / <f32>(end - start)));
      }
      storeLanes(to, value, n);
      to += ya;
    }
    y += 16;
    x += 16;
  }
}

/** dx = the sum of what each window gives a position: its dy, evenly spread. */
export function averagePoolGradient(
  dims: usize, dx: usize, dy: usize, outputs: i32, extent: i32, xa: usize, ya: usize,
  kernel: i32, stride: i32, before: i32,
): void {
  averageAxis(load<i32>(dims), dims + 4, dx, dy, outputs, extent, xa, ya, kernel, stride, before);
}

function averageAxis(
  rank: i32, dims: usize, dx: usize, dy: usize, outputs: i32, extent: i32, xa: usize, ya: usize,
  kernel: i32, stride: i32, before: i32,
): void {
  let n = load<i32>(dims);
  const xs = load<usize>(dims, 4), ys = load<usize>(dims, 8);
  if (rank > 1) {
    for (let i = 0; i < n; i++) {
      averageAxis(rank - 1, dims + AXIS, dx, dy, outputs, extent, xa, ya, kernel, stride, before);
      dx += xs;
      dy += ys;
    }
    return;
  }
  for (; n > 0; n -= 4) {
    let to = dx;
    for (let e = 0; e < extent; e++) {
      // Windows o with o·stride − before ≤ e < o·stride − before + kernel.
      const reach = e + before - kernel;
      const first = reach < 0 ? 0 : reach / stride + 1, last = min(outputs - 1, (e + before) / stride);
      let sum = zero();
      for (let o = first; o <= last; o++) {
        const start = max(0, o * stride - before), end = min(extent, o * stride - before + kernel);
        sum = f32x4.add(sum, f32x4.mul(v128.load(dy + <usize>o * ya), f32x4.splat(<f32>1 / <f32>(end - start))));
      }
      storeLanes(to, sum, n);
      to += xa;
    }
    dx += 16;
    dy += 16;
  }
}

/** dx += each dy at the first largest value of its window; dx starts at zero. */
export function maxPoolGradient(
  dims: usize, dx: usize, x: usize, dy: usize, outputs: i32, extent: i32, da: usize, xa: usize, ya: usize,
  kernel: i32, stride: i32, before: i32,
): void {
  maxAxis(load<i32>(dims), dims + 4, dx, x, dy, outputs, extent, da, xa, ya, kernel, stride, before);
}

function maxAxis(
  rank: i32, dims: usize, dx: usize, x: usize, dy: usize, outputs: i32, extent: i32, da: usize, xa: usize, ya: usize,
  kernel: i32, stride: i32, before: i32,
): void {
  let n = load<i32>(dims);
  const ds = load<usize>(dims, 4), xs = load<usize>(dims, 8), ys = load<usize>(dims, 12);
  if (rank > 1) {
    for (let i = 0; i < n; i++) {
      maxAxis(rank - 1, dims + AXIS, dx, x, dy, outputs, extent, da, xa, ya, kernel, stride, before);
      dx += ds;
      x += xs;
      dy += ys;
    }
    return;
  }
  for (; n > 0; n -= 4) {
    for (let o = 0; o < outputs; o++) {
      const start = max(0, o * stride - before), end = min(extent, o * stride - before + kernel);
      let top = v128.load(x + <usize>start * xa);
      for (let k = start + 1; k < end; k++) {
        const other = v128.load(x + <usize>k * xa);
        top = v128.bitselect(other, top, f32x4.gt(other, top));
      }
      let left = v128.load(dy + <usize>o * ya);
      for (let k = start; k < end; k++) {
        const hit = f32x4.eq(v128.load(x + <usize>k * xa), top), to = dx + <usize>k * da;
        storeLanes(to, f32x4.add(v128.load(to), v128.and(left, hit)), n);
        left = v128.andnot(left, hit);
      }
    }
    dx += 16;
    x += 16;
    dy += 16;
  }
}
