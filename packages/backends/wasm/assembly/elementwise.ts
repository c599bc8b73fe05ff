/**
 * Element by element over strided operands. `dims` describes the walk: rank, then for each axis, outermost first,
 * { extent, byte strides of y, a, b, c }. The innermost axis of y is contiguous. Rows may be read up to 32 bytes
 * beyond their end, never written there.
 */
import { ERF, erfScaled, EXP, exp2, FAINT, GELU as GELU_TABLE } from "./math";
import { trains } from "./scope";
import { least, madd, most, storeLanes, zero } from "./simd";

/** Bytes of one axis in `dims`. */
const AXIS: usize = 20;

const COPY = 0, SQRT = 1, SCALE = 3, GELU = 4, EXPONENTIAL = 5, ELU = 6, SIGMOID = 7, TANH = 8, AT_LEAST = 9, AT_MOST = 10;
const ADD = 0, SUB = 1, MUL = 2, DIV = 3, RELU_GRADIENT = 4, GELU_GRADIENT = 5, DROPOUT = 6, ELU_GRADIENT = 7, ADD_INTEGERS = 8, CLIP_GRADIENT = 9;

// @ts-ignore: decorator
@inline function applyUnary(operation: i32, x: v128, by: v128): v128 {
  if (operation == SQRT) return f32x4.sqrt(x);
  if (operation == SCALE) return f32x4.mul(x, by);
  // NaN stays NaN: both give their first operand unless the second is beyond it.
  if (operation == AT_LEAST) return f32x4.pmax(x, by);
  if (operation == AT_MOST) return f32x4.pmin(x, by);
  return x;
}

/** Rows `ys` and `xo` bytes apart. Most are short, so that what is done once a row counts. */
// @ts-ignore: decorator
@inline function unaryRows(operation: i32, rows: i32, n: i32, y: usize, ys: usize, x: usize, xo: usize, xs: usize, by: v128): void {
  for (; rows > 0; rows--) {
    const end = y + (<usize>(n & ~3) << 2);
    let to = y, from = x;
    if (xs == 4) {
      for (; to < end; to += 16) {
        v128.store(to, applyUnary(operation, v128.load(from), by));
        from += 16;
      }
      if (n & 3) storeLanes(to, applyUnary(operation, v128.load(from), by), n & 3);
    } else {
      for (let k = n; k > 0; k -= 4) {
        storeLanes(to, applyUnary(operation, collect(from, xs, k), by), k);
        to += 16;
        from += 4 * xs;
      }
    }
    y += ys;
    x += xo;
  }
}

/** Up to four numbers `stride` bytes apart. */
function collect(p: usize, stride: usize, n: i32): v128 {
  let x = v128.load_splat<f32>(p);
  if (n > 1) x = v128.load32_lane(p + stride, x, 1);
  if (n > 2) x = v128.load32_lane(p + 2 * stride, x, 2);
  return n > 3 ? v128.load32_lane(p + 3 * stride, x, 3) : x;
}

function geluRow(n: i32, y: usize, x: usize, xs: usize): void {
  const sign = v128.load(GELU_TABLE), low = v128.load(GELU_TABLE, 16), shift = v128.load(GELU_TABLE, 32), a1 = v128.load(GELU_TABLE, 48);
  const a0 = v128.load(GELU_TABLE, 64), r1 = v128.load(GELU_TABLE, 80), q1 = v128.load(GELU_TABLE, 96);
  const r2 = v128.load(GELU_TABLE, 112), q2 = v128.load(GELU_TABLE, 128), r3 = v128.load(GELU_TABLE, 144), q3 = v128.load(GELU_TABLE, 160);
  for (; n > 0; n -= 4) {
    const value = xs == 4 ? v128.load(x) : collect(x, xs, n);
    const a = most(v128.or(value, sign), low);
    const t = f32x4.add(a, shift);
    const w = f32x4.mul(t, t);
    let p = madd(a1, t, a0);
    p = madd(p, f32x4.sub(w, r1), q1);
    p = madd(p, f32x4.sub(w, r2), q2);
    p = madd(p, f32x4.sub(w, r3), q3);
    p = f32x4.mul(p, p);
    p = f32x4.mul(p, p);
    p = f32x4.mul(p, p);
    // NaN stays NaN: pmax gives its first operand where the second is not larger.
    const out = madd(a, p, f32x4.pmax(value, zero()));
    if (n >= 4) v128.store(y, out);
    else storeLanes(y, out, n);
    y += 16;
    x += xs == 4 ? 16 : 4 * xs;
  }
}

/** Functions of e^x: itself, ELU, the logistic function, the hyperbolic tangent; with `d`, ELU's slope times dy. */
function exponentialRow(operation: i32, n: i32, y: usize, x: usize, xs: usize, d: usize, ds: usize): void {
  const lo = v128.load(operation == ELU_SLOPE ? FAINT : EXP), magic = v128.load(EXP, 16), c0 = v128.load(EXP, 32), c1 = v128.load(EXP, 48), c2 = v128.load(EXP, 64);
  const c3 = v128.load(EXP, 80), c4 = v128.load(EXP, 96), c5 = v128.load(EXP, 112);
  // 2^128 is infinity, as e^x should be there; tanh is 1 long before, and its quotient never subnormal.
  const one = f32x4.splat(1), high = f32x4.splat(operation == TANH ? 64 : 128), largest = f32x4.splat(126), near = f32x4.splat(0.25);
  const factor: f32 = operation == SIGMOID ? -1.4426950408889634 : operation == TANH ? 2.8853900817779268 : 1.4426950408889634;
  const log = f32x4.splat(factor);
  for (; n > 0; n -= 4) {
    const value = xs == 4 ? v128.load(x) : collect(x, xs, n);
    let exponent = least(f32x4.mul(value, log), high);
    // What would be subnormal behind the division is 1 ÷ infinity.
    if (operation == SIGMOID) exponent = v128.bitselect(high, exponent, f32x4.gt(exponent, largest));
    let out = exp2(exponent, lo, magic, c0, c1, c2, c3, c4, c5);
    if (operation == SIGMOID) out = f32x4.div(one, f32x4.add(one, out));
    else if (operation == TANH) {
      out = f32x4.sub(one, f32x4.div(f32x4.splat(2), f32x4.add(one, out)));
      out = v128.bitselect(smallTanh(value), out, f32x4.lt(f32x4.abs(value), near));
    } else if (operation == ELU) {
      out = v128.bitselect(smallExpm1(value), f32x4.sub(out, one), f32x4.lt(f32x4.abs(value), near));
      out = v128.bitselect(value, out, f32x4.gt(value, zero()));
    } else if (operation == ELU_SLOPE) {
      out = v128.bitselect(one, out, f32x4.gt(value, zero()));
      out = f32x4.mul(out, ds == 4 ? v128.load(d) : collect(d, ds, n));
      d += ds == 4 ? 16 : 4 * ds;
    }
    if (n >= 4) v128.store(y, out);
    else storeLanes(y, out, n);
    y += 16;
    x += xs == 4 ? 16 : 4 * xs;
  }
}

/** Not among the numbers of unary functions. */
const ELU_SLOPE = -1;

/** e^x − 1 for |x| < ¼, where the difference would lose digits: six terms of its series. */
function smallExpm1(x: v128): v128 {
  let p = madd(x, f32x4.splat(0.001388888888888889), f32x4.splat(0.008333333333333333));
  p = madd(p, x, f32x4.splat(0.041666666666666664));
  p = madd(p, x, f32x4.splat(0.16666666666666666));
  p = madd(p, x, f32x4.splat(0.5));
  p = madd(p, x, f32x4.splat(1));
  return f32x4.mul(p, x);
}

/** tanh x for |x| < ¼: five terms of its series. */
function smallTanh(x: v128): v128 {
  const q = f32x4.mul(x, x);
  let p = madd(q, f32x4.splat(0.021869488536155203), f32x4.splat(-0.05396825396825397));
  p = madd(p, q, f32x4.splat(0.13333333333333333));
  p = madd(p, q, f32x4.splat(-0.3333333333333333));
  p = madd(p, q, f32x4.splat(1));
  return f32x4.mul(p, x);
}

/** dx = (Φ(x) + x·φ(x))·dy */
function geluGradientRow(n: i32, y: usize, x: usize, xs: usize, d: usize, ds: usize): void {
  const root = v128.load(ERF), low = v128.load(ERF, 16), high = v128.load(ERF, 32), half = v128.load(ERF, 48);
  const a13 = v128.load(ERF, 64), a11 = v128.load(ERF, 80), a9 = v128.load(ERF, 96), a7 = v128.load(ERF, 112);
  const a5 = v128.load(ERF, 128), a3 = v128.load(ERF, 144), a1 = v128.load(ERF, 160);
  const b8 = v128.load(ERF, 176), b6 = v128.load(ERF, 192), b4 = v128.load(ERF, 208), b2 = v128.load(ERF, 224), b0 = v128.load(ERF, 240);
  const lo = v128.load(FAINT), magic = v128.load(EXP, 16), c0 = v128.load(EXP, 32), c1 = v128.load(EXP, 48), c2 = v128.load(EXP, 64);
  const c3 = v128.load(EXP, 80), c4 = v128.load(EXP, 96), c5 = v128.load(EXP, 112);
  const log = f32x4.splat(-0.7213475204444817), density = f32x4.splat(0.3989422804014327);
  for (; n > 0; n -= 4) {
    const value = xs == 4 ? v128.load(x) : collect(x, xs, n);
    const e = erfScaled(value, root, low, high, a13, a11, a9, a7, a5, a3, a1, b8, b6, b4, b2, b0);
    const cdf = madd(half, e, half);
    const bell = exp2(f32x4.mul(f32x4.mul(value, value), log), lo, magic, c0, c1, c2, c3, c4, c5);
    const slope = madd(f32x4.mul(value, density), bell, cdf);
    const out = f32x4.mul(slope, ds == 4 ? v128.load(d) : collect(d, ds, n));
    if (n >= 4) v128.store(y, out);
    else storeLanes(y, out, n);
    y += 16;
    x += xs == 4 ? 16 : 4 * xs;
    d += ds == 4 ? 16 : 4 * ds;
  }
}

/** y = f(x), f by number; `by` is what SCALE multiplies with, and the bound of AT_LEAST and AT_MOST. */
export function unary(operation: i32, dims: usize, y: usize, x: usize, by: f32): void {
  unaryAxis(operation, load<i32>(dims), dims + 4, y, x, f32x4.splat(by));
}

function unaryAxis(operation: i32, rank: i32, dims: usize, y: usize, x: usize, by: v128): void {
  let rows = load<i32>(dims), ys = load<usize>(dims, 4), xo = load<usize>(dims, 8);
  if (rank > 2) {
    for (; rows > 0; rows--) {
      unaryAxis(operation, rank - 1, dims + AXIS, y, x, by);
      y += ys;
      x += xo;
    }
    return;
  }
  if (rank == 2) dims += AXIS;
  else rows = 1;
  const n = load<i32>(dims), xs = load<usize>(dims, 8);
  switch (operation) {
    case COPY: unaryRows(COPY, rows, n, y, ys, x, xo, xs, by); break;
    case SQRT: case SCALE: case AT_LEAST: case AT_MOST: unaryRows(operation, rows, n, y, ys, x, xo, xs, by); break;
    default:
      for (; rows > 0; rows--) {
        if (operation == GELU) geluRow(n, y, x, xs);
        else exponentialRow(operation, n, y, x, xs, 0, 0);
        y += ys;
        x += xo;
      }
  }
}

// @ts-ignore: decorator
@inline function applyBinary(operation: i32, a: v128, b: v128, ratio: v128, scale: v128): v128 {
  if (operation == ADD) return f32x4.add(a, b);
  if (operation == ADD_INTEGERS) return i32x4.add(a, b);
  if (operation == SUB) return f32x4.sub(a, b);
  if (operation == MUL) return f32x4.mul(a, b);
  if (operation == DIV) return f32x4.div(a, b);
  if (operation == RELU_GRADIENT) return v128.and(b, f32x4.gt(a, zero()));
  if (operation == CLIP_GRADIENT) return v128.and(b, v128.and(f32x4.ge(a, ratio), f32x4.le(a, scale)));
  return v128.and(f32x4.mul(a, scale), f32x4.ge(b, ratio));
}

// @ts-ignore: decorator
@inline function binaryRows(
  operation: i32, rows: i32, n: i32, y: usize, ys: usize, a: usize, ao: usize, sa: usize, b: usize, bo: usize, sb: usize, ratio: v128, scale: v128,
): void {
  for (; rows > 0; rows--) {
    const end = y + (<usize>(n & ~3) << 2);
    let to = y, left = a, right = b;
    if (sa == 4 && sb == 4) {
      for (; to < end; to += 16) {
        v128.store(to, applyBinary(operation, v128.load(left), v128.load(right), ratio, scale));
        left += 16;
        right += 16;
      }
      if (n & 3) storeLanes(to, applyBinary(operation, v128.load(left), v128.load(right), ratio, scale), n & 3);
    } else if (sa == 4 && sb == 0) {
      const held = v128.load_splat<f32>(right);
      for (; to < end; to += 16) {
        v128.store(to, applyBinary(operation, v128.load(left), held, ratio, scale));
        left += 16;
      }
      if (n & 3) storeLanes(to, applyBinary(operation, v128.load(left), held, ratio, scale), n & 3);
    } else if (sa == 0 && sb == 4) {
      const held = v128.load_splat<f32>(left);
      for (; to < end; to += 16) {
        v128.store(to, applyBinary(operation, held, v128.load(right), ratio, scale));
        right += 16;
      }
      if (n & 3) storeLanes(to, applyBinary(operation, held, v128.load(right), ratio, scale), n & 3);
    } else {
      for (let k = n; k > 0; k -= 4) {
        storeLanes(to, applyBinary(operation, collect(left, sa, k), collect(right, sb, k), ratio, scale), k);
        to += 16;
        left += 4 * sa;
        right += 4 * sb;
      }
    }
    y += ys;
    a += ao;
    b += bo;
  }
}

/** y = f(a, b), f by number. DROPOUT: a·scale where b ≥ ratio, else 0; CLIP_GRADIENT: b where ratio ≤ a ≤ scale, else 0. */
export function binary(operation: i32, dims: usize, y: usize, a: usize, b: usize, ratio: f32, scale: f32): void {
  binaryAxis(operation, load<i32>(dims), dims + 4, y, a, b, f32x4.splat(ratio), f32x4.splat(scale));
}

function binaryAxis(operation: i32, rank: i32, dims: usize, y: usize, a: usize, b: usize, ratio: v128, scale: v128): void {
  let rows = load<i32>(dims), ys = load<usize>(dims, 4), ao = load<usize>(dims, 8), bo = load<usize>(dims, 12);
  if (rank > 2) {
    for (; rows > 0; rows--) {
      binaryAxis(operation, rank - 1, dims + AXIS, y, a, b, ratio, scale);
      y += ys;
      a += ao;
      b += bo;
    }
    return;
  }
  if (rank == 2) dims += AXIS;
  else rows = 1;
  const n = load<i32>(dims), sa = load<usize>(dims, 8), sb = load<usize>(dims, 12);
  switch (operation) {
    case ADD: binaryRows(ADD, rows, n, y, ys, a, ao, sa, b, bo, sb, ratio, scale); break;
    case ADD_INTEGERS: binaryRows(ADD_INTEGERS, rows, n, y, ys, a, ao, sa, b, bo, sb, ratio, scale); break;
    case SUB: binaryRows(SUB, rows, n, y, ys, a, ao, sa, b, bo, sb, ratio, scale); break;
    case MUL: binaryRows(MUL, rows, n, y, ys, a, ao, sa, b, bo, sb, ratio, scale); break;
    case DIV: binaryRows(DIV, rows, n, y, ys, a, ao, sa, b, bo, sb, ratio, scale); break;
    default:
      // What forecasts never ask for is left out of their module.
      if (!trains) unreachable();
      gradientRows(operation, rows, n, y, ys, a, ao, sa, b, bo, sb, ratio, scale);
  }
}

function gradientRows(
  operation: i32, rows: i32, n: i32, y: usize, ys: usize, a: usize, ao: usize, sa: usize, b: usize, bo: usize, sb: usize, ratio: v128, scale: v128,
): void {
  switch (operation) {
    case RELU_GRADIENT: binaryRows(RELU_GRADIENT, rows, n, y, ys, a, ao, sa, b, bo, sb, ratio, scale); break;
    case CLIP_GRADIENT: binaryRows(CLIP_GRADIENT, rows, n, y, ys, a, ao, sa, b, bo, sb, ratio, scale); break;
    case DROPOUT: binaryRows(DROPOUT, rows, n, y, ys, a, ao, sa, b, bo, sb, ratio, scale); break;
    default:
      for (; rows > 0; rows--) {
        if (operation == GELU_GRADIENT) geluGradientRow(n, y, a, sa, b, sb);
        else exponentialRow(ELU_SLOPE, n, y, a, sa, b, sb);
        y += ys;
        a += ao;
        b += bo;
      }
  }
}

/** y = x·factor + shift: a normalisation with known statistics. */
export function affine(dims: usize, y: usize, x: usize, factor: usize, shift: usize): void {
  affineAxis(load<i32>(dims), dims + 4, y, x, factor, shift);
}

function affineAxis(rank: i32, dims: usize, y: usize, x: usize, factor: usize, shift: usize): void {
  let n = load<i32>(dims);
  const ys = load<usize>(dims, 4), xs = load<usize>(dims, 8), fs = load<usize>(dims, 12), ss = load<usize>(dims, 16);
  if (rank > 1) {
    for (let i = 0; i < n; i++) {
      affineAxis(rank - 1, dims + AXIS, y, x, factor, shift);
      y += ys;
      x += xs;
      factor += fs;
      shift += ss;
    }
    return;
  }
  if (xs == 4 && fs == 0 && ss == 0) {
    const f = v128.load_splat<f32>(factor), s = v128.load_splat<f32>(shift);
    for (; n >= 4; n -= 4) {
      v128.store(y, madd(v128.load(x), f, s));
      y += 16;
      x += 16;
    }
    if (n > 0) storeLanes(y, madd(v128.load(x), f, s), n);
    return;
  }
  for (; n > 0; n -= 4) {
    const left = n < 4 ? n : 4;
    storeLanes(y, madd(collect(x, xs, left), collect(factor, fs, left), collect(shift, ss, left)), left);
    y += 16;
    x += 4 * xs;
    factor += 4 * fs;
    shift += 4 * ss;
  }
}
