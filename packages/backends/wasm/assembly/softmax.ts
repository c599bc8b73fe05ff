/** Softmax and its gradient along one axis, over lanes (the axis is strided) or along rows (it is contiguous). */
import { EXP, exp2, FAINT } from "./math";
import { trains } from "./scope";
import { keepLanes, madd, maxLanes, most, storeLanes, sumLanes, zero } from "./simd";

const AXIS: usize = 20;
const LOG2E: f32 = 1.4426950408889634;

/** `dims` (see elementwise.ts) walks over everything but the softmax's axis: `extent` positions, `ya`, `xa` bytes apart. */
export function softmaxLanes(dims: usize, y: usize, x: usize, extent: i32, ya: usize, xa: usize): void {
  lanesAxis(load<i32>(dims), dims + 4, y, x, extent, ya, xa);
}

function lanesAxis(rank: i32, dims: usize, y: usize, x: usize, extent: i32, ya: usize, xa: usize): void {
  let n = load<i32>(dims);
  const ys = load<usize>(dims, 4), xs = load<usize>(dims, 8);
  if (rank > 1) {
    for (let i = 0; i < n; i++) {
      lanesAxis(rank - 1, dims + AXIS, y, x, extent, ya, xa);
      y += ys;
      x += xs;
    }
    return;
  }
  const lo = v128.load(FAINT), magic = v128.load(EXP, 16), c0 = v128.load(EXP, 32), c1 = v128.load(EXP, 48), c2 = v128.load(EXP, 64);
  const c3 = v128.load(EXP, 80), c4 = v128.load(EXP, 96), c5 = v128.load(EXP, 112);
  const log = f32x4.splat(LOG2E);
  // Two vectors at a time, whose sums do not wait for each other.
  for (; trains && n >= 8; n -= 8) {
    let top0 = v128.load(x), top1 = v128.load(x, 16), p = x + xa;
    for (let e = 1; e < extent; e++) {
      top0 = most(top0, v128.load(p));
      top1 = most(top1, v128.load(p, 16));
      p += xa;
    }
    let total0 = zero(), total1 = zero(), to = y;
    p = x;
    for (let e = 0; e < extent; e++) {
      const value0 = exp2(f32x4.mul(f32x4.sub(v128.load(p), top0), log), lo, magic, c0, c1, c2, c3, c4, c5);
      const value1 = exp2(f32x4.mul(f32x4.sub(v128.load(p, 16), top1), log), lo, magic, c0, c1, c2, c3, c4, c5);
      total0 = f32x4.add(total0, value0);
      total1 = f32x4.add(total1, value1);
      v128.store(to, value0);
      v128.store(to, value1, 16);
      p += xa;
      to += ya;
    }
    total0 = f32x4.div(f32x4.splat(1), total0);
    total1 = f32x4.div(f32x4.splat(1), total1);
    to = y;
    for (let e = 0; e < extent; e++) {
      v128.store(to, f32x4.mul(v128.load(to), total0));
      v128.store(to, f32x4.mul(v128.load(to, 16), total1), 16);
      to += ya;
    }
    y += 32;
    x += 32;
  }
  for (; n > 0; n -= 4) {
    let top = v128.load(x);
    let p = x + xa;
    for (let e = 1; e < extent; e++) {
      top = most(top, v128.load(p));
      p += xa;
    }
    let total = zero();
    p = x;
    let to = y;
    for (let e = 0; e < extent; e++) {
      const value = exp2(f32x4.mul(f32x4.sub(v128.load(p), top), log), lo, magic, c0, c1, c2, c3, c4, c5);
      total = f32x4.add(total, value);
      storeLanes(to, value, n);
      p += xa;
      to += ya;
    }
    total = f32x4.div(f32x4.splat(1), total);
    to = y;
    for (let e = 0; e < extent; e++) {
      storeLanes(to, f32x4.mul(v128.load(to), total), n);
      to += ya;
    }
    y += 16;
    x += 16;
  }
}

/** Like softmaxLanes, for the innermost axis: `n` neighbours form a row, `dims` walks over rows. */
export function softmaxRows(dims: usize, y: usize, x: usize, n: i32): void {
  rowsAxis(load<i32>(dims), dims + 4, y, x, n);
}

function rowsAxis(rank: i32, dims: usize, y: usize, x: usize, n: i32): void {
  const count = load<i32>(dims), ys = load<usize>(dims, 4), xs = load<usize>(dims, 8);
  for (let i = 0; i < count; i++) {
    if (rank > 1) rowsAxis(rank - 1, dims + AXIS, y, x, n);
    else softmaxRow(n, y, x);
    y += ys;
    x += xs;
  }
}

function softmaxRow(n: i32, y: usize, x: usize): void {
  const lo = v128.load(FAINT), magic = v128.load(EXP, 16), c0 = v128.load(EXP, 32), c1 = v128.load(EXP, 48), c2 = v128.load(EXP, 64);
  const c3 = v128.load(EXP, 80), c4 = v128.load(EXP, 96), c5 = v128.load(EXP, 112);
  let tops = v128.load_splat<f32>(x);
  let i = 0;
  for (; i + 4 <= n; i += 4) tops = most(tops, v128.load(x + (<usize>i << 2)));
  let top = maxLanes(tops);
  for (; i < n; i++) top = max(top, load<f32>(x + (<usize>i << 2)));
  const most4 = f32x4.splat(top), log = f32x4.splat(LOG2E);
  let total = zero();
  for (i = 0; i < n; i += 4) {
    const at = <usize>i << 2;
    const value = exp2(f32x4.mul(f32x4.sub(v128.load(x + at), most4), log), lo, magic, c0, c1, c2, c3, c4, c5);
    total = f32x4.add(total, keepLanes(value, n - i));
    storeLanes(y + at, value, n - i);
  }
  const inverse = f32x4.splat(1 / sumLanes(total));
  for (i = 0; i < n; i += 4) {
    const at = <usize>i << 2;
    storeLanes(y + at, f32x4.mul(v128.load(y + at), inverse), n - i);
  }
}

/** dx = y·(dy − Σ y·dy). `dims` walks dx, y, dy; `sa`, `sb`, `sc` are the byte strides of the softmax's axis in them. */
export function softmaxGradientLanes(dims: usize, dx: usize, y: usize, dy: usize, extent: i32, sa: usize, sb: usize, sc: usize): void {
  gradientAxis(load<i32>(dims), dims + 4, dx, y, dy, extent, sa, sb, sc);
}

function gradientAxis(rank: i32, dims: usize, dx: usize, y: usize, dy: usize, extent: i32, sa: usize, sb: usize, sc: usize): void {
  let n = load<i32>(dims);
  const xs = load<usize>(dims, 4), ys = load<usize>(dims, 8), ds = load<usize>(dims, 12);
  if (rank > 1) {
    for (let i = 0; i < n; i++) {
      gradientAxis(rank - 1, dims + AXIS, dx, y, dy, extent, sa, sb, sc);
      dx += xs;
      y += ys;
      dy += ds;
    }
    return;
  }
  for (; n >= 8; n -= 8) {
    let dot0 = zero(), dot1 = zero(), p = y, d = dy, to = dx;
    for (let e = 0; e < extent; e++) {
      dot0 = madd(v128.load(p), v128.load(d), dot0);
      dot1 = madd(v128.load(p, 16), v128.load(d, 16), dot1);
      p += sb;
      d += sc;
    }
    p = y;
    d = dy;
    for (let e = 0; e < extent; e++) {
      v128.store(to, f32x4.mul(v128.load(p), f32x4.sub(v128.load(d), dot0)));
      v128.store(to, f32x4.mul(v128.load(p, 16), f32x4.sub(v128.load(d, 16), dot1)), 16);
      p += sb;
      d += sc;
      to += sa;
    }
    dx += 32;
    y += 32;
    dy += 32;
  }
  for (; n > 0; n -= 4) {
    let dot = zero();
    let p = y, d = dy, to = dx;
    for (let e = 0; e < extent; e++) {
      dot = madd(v128.load(p), v128.load(d), dot);
      p += sb;
      d += sc;
    }
    p = y;
    d = dy;
    for (let e = 0; e < extent; e++) {
      storeLanes(to, f32x4.mul(v128.load(p), f32x4.sub(v128.load(d), dot)), n);
      p += sb;
      d += sc;
      to += sa;
    }
    dx += 16;
    y += 16;
    dy += 16;
  }
}

export function softmaxGradientRows(dims: usize, dx: usize, y: usize, dy: usize, n: i32): void {
  gradientRowsAxis(load<i32>(dims), dims + 4, dx, y, dy, n);
}

function gradientRowsAxis(rank: i32, dims: usize, dx: usize, y: usize, dy: usize, n: i32): void {
  const count = load<i32>(dims), xs = load<usize>(dims, 4), ys = load<usize>(dims, 8), ds = load<usize>(dims, 12);
  for (let i = 0; i < count; i++) {
    if (rank > 1) gradientRowsAxis(rank - 1, dims + AXIS, dx, y, dy, n);
    else {
      let dots = zero();
      for (let j = 0; j < n; j += 4) {
        const at = <usize>j << 2;
        dots = f32x4.add(dots, keepLanes(f32x4.mul(v128.load(y + at), v128.load(dy + at)), n - j));
      }
      const dot = f32x4.splat(sumLanes(dots));
      for (let j = 0; j < n; j += 4) {
        const at = <usize>j << 2;
        storeLanes(dx + at, f32x4.mul(v128.load(y + at), f32x4.sub(v128.load(dy + at), dot)), n - j);
      }
    }
    dx += xs;
    y += ys;
    dy += ds;
  }
}
