/**
 * Windows that slide along one axis, four neighbours beside it at a time. `dims` (see elementwise.ts) walks over everything
 * but that axis; `outputs` and `extent` are its positions behind and before the window, a byte stride belongs to each
 * operand. Positions outside never count.
 */
import { trains } from "./scope";
import { storeLanes, zero } from "./simd";

const AXIS: usize = 20;

/** A window of fewer positions shares too little with its neighbours. */
const SHARES: i32 = 6;

/**
 * Sums of `count` windows of `kernel` positions (SHARES or more), each one position after the one before, times `factor`:
 * the first `left` lanes. Four windows at a time add up once what they share: the gradient of a moving average over 25 rows
 * takes a sixth of the time (AMD EPYC).
 */
function slidingSums(count: i32, kernel: i32, left: i32, from: usize, step: usize, to: usize, ts: usize, factor: v128): void {
  for (; count >= 4; count -= 4) {
    const a = v128.load(from), b = v128.load(from + step), c = v128.load(from + 2 * step);
    let p = from + 3 * step, even = zero(), odd = zero(), k = 3;
    for (; k + 2 <= kernel; k += 2) {
      even = f32x4.add(even, v128.load(p));
      odd = f32x4.add(odd, v128.load(p + step));
      p += 2 * step;
    }
    if (k < kernel) {
      even = f32x4.add(even, v128.load(p));
      p += step;
    }
    const shared = f32x4.add(even, odd), bc = f32x4.add(b, c);
    const d = v128.load(p), e = v128.load(p + step), f = v128.load(p + 2 * step), de = f32x4.add(d, e);
    storeLanes(to, f32x4.mul(f32x4.add(shared, f32x4.add(a, bc)), factor), left);
    storeLanes(to + ts, f32x4.mul(f32x4.add(shared, f32x4.add(bc, d)), factor), left);
    storeLanes(to + 2 * ts, f32x4.mul(f32x4.add(shared, f32x4.add(c, de)), factor), left);
    storeLanes(to + 3 * ts, f32x4.mul(f32x4.add(shared, f32x4.add(de, f)), factor), left);
    from += 4 * step;
    to += 4 * ts;
  }
  for (; count > 0; count--) {
    let sum = v128.load(from), p = from + step;
    for (let k = 1; k < kernel; k++) {
      sum = f32x4.add(sum, v128.load(p));
      p += step;
    }
    storeLanes(to, f32x4.mul(sum, factor), left);
    from += step;
    to += ts;
  }
}

/**
 * y = the mean of each window of x, or with `largest` its largest value. Sums go from the first position to the last, as those
 * of averageRows do: a forecast has the same digits in every batch, whichever of the two its layout takes.
 */
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

/**
 * Means of `count` windows of `kernel` neighbours, each one neighbour after the one before. Rows may be read up to 12 bytes
 * beyond their end.
 */
function slidingRow(count: i32, kernel: i32, x: usize, y: usize, factor: v128): void {
  for (; trains && count >= 16; count -= 16) {
    let a = zero(), b = zero(), c = zero(), d = zero(), p = x;
    for (let k = 0; k < kernel; k++) {
      a = f32x4.add(a, v128.load(p));
      b = f32x4.add(b, v128.load(p, 16));
      c = f32x4.add(c, v128.load(p, 32));
      d = f32x4.add(d, v128.load(p, 48));
      p += 4;
    }
    v128.store(y, f32x4.mul(a, factor));
    v128.store(y, f32x4.mul(b, factor), 16);
    v128.store(y, f32x4.mul(c, factor), 32);
    v128.store(y, f32x4.mul(d, factor), 48);
    x += 64;
    y += 64;
  }
  for (; count > 0; count -= 4) {
    let sum = zero(), p = x;
    for (let k = 0; k < kernel; k++) {
      sum = f32x4.add(sum, v128.load(p));
      p += 4;
    }
    storeLanes(y, f32x4.mul(sum, factor), count);
    x += 16;
    y += 16;
  }
}

/** y = the mean of each window of `kernel` neighbours, all of them whole; `dims` walks over rows. */
export function averageRows(dims: usize, y: usize, x: usize, outputs: i32, kernel: i32): void {
  averageRowsAxis(load<i32>(dims), dims + 4, y, x, outputs, kernel);
}

function averageRowsAxis(rank: i32, dims: usize, y: usize, x: usize, outputs: i32, kernel: i32): void {
  const count = load<i32>(dims), ys = load<usize>(dims, 4), xs = load<usize>(dims, 8);
  for (let i = 0; i < count; i++) {
    if (rank > 1) averageRowsAxis(rank - 1, dims + AXIS, y, x, outputs, kernel);
    else slidingRow(outputs, kernel, x, y, f32x4.splat(<f32>1 / <f32>kernel));
    y += ys;
    x += xs;
  }
}

/** The gradient of averageRows; there are no fewer outputs than positions of a window. */
export function averageGradientRows(dims: usize, dx: usize, dy: usize, outputs: i32, kernel: i32): void {
  gradientRowsAxis(load<i32>(dims), dims + 4, dx, dy, outputs, kernel);
}

function gradientRowsAxis(rank: i32, dims: usize, dx: usize, dy: usize, outputs: i32, kernel: i32): void {
  const count = load<i32>(dims), xs = load<usize>(dims, 4), ys = load<usize>(dims, 8);
  const share = <f32>1 / <f32>kernel;
  for (let i = 0; i < count; i++) {
    if (rank > 1) gradientRowsAxis(rank - 1, dims + AXIS, dx, dy, outputs, kernel);
    else {
      // Positions at both ends belong to fewer windows.
      const end = <usize>(outputs + kernel - 2) << 2, last = <usize>(outputs - 1) << 2;
      let before: f32 = 0, behind: f32 = 0;
      for (let e: usize = 0; e < (<usize>kernel - 1) << 2; e += 4) {
        before += load<f32>(dy + e);
        behind += load<f32>(dy + last - e);
        store<f32>(dx + e, before * share);
        store<f32>(dx + end - e, behind * share);
      }
      slidingRow(outputs - kernel + 1, kernel, dy, dx + ((<usize>kernel - 1) << 2), f32x4.splat(share));
    }
    dx += xs;
    dy += ys;
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
  const whole = stride == 1 && before == 0 && kernel >= SHARES && outputs >= kernel && extent == outputs + kernel - 1;
  const share = f32x4.splat(<f32>1 / <f32>kernel);
  for (; n > 0; n -= 4) {
    if (whole) {
      // Positions at both ends belong to fewer windows.
      let first = zero(), last = zero();
      for (let e: usize = 0; e < <usize>kernel - 1; e++) {
        first = f32x4.add(first, v128.load(dy + e * ya));
        last = f32x4.add(last, v128.load(dy + (<usize>outputs - 1 - e) * ya));
        storeLanes(dx + e * xa, f32x4.mul(first, share), n);
        storeLanes(dx + (<usize>extent - 1 - e) * xa, f32x4.mul(last, share), n);
      }
      slidingSums(outputs - kernel + 1, kernel, n, dy, ya, dx + (<usize>kernel - 1) * xa, xa, share);
      dx += 16;
      dy += 16;
      continue;
    }
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
