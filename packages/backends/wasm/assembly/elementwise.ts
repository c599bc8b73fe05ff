/**
 * Element by element over strided operands. `dims` describes the walk: rank, then for each axis, outermost first,
 * { extent, byte strides of y, a, b, c }. The innermost axis of y is contiguous. Rows may be read up to 32 bytes
 * beyond their end, never written there.
 */
import { ERF, erfScaled, EXP, exp2 } from "./math";
import { madd, storeLanes, zero } from "./simd";

/** Bytes of one axis in `dims`. */
const AXIS: usize = 20;

export const COPY = 0, SQRT = 1, RELU = 2, SCALE = 3, GELU = 4;
export const ADD = 0, SUB = 1, MUL = 2, DIV = 3, RELU_GRADIENT = 4, GELU_GRADIENT = 5, DROPOUT = 6;

/** Four numbers `stride` bytes apart. */
// @ts-ignore: decorator
@inline function collect(p: usize, stride: usize): v128 {
  let x = v128.load_splat<f32>(p);
  x = v128.load32_lane(p + stride, x, 1);
  x = v128.load32_lane(p + 2 * stride, x, 2);
  return v128.load32_lane(p + 3 * stride, x, 3);
}

// @ts-ignore: decorator
@inline function applyUnary(operation: i32, x: v128, by: v128): v128 {
  if (operation == SQRT) return f32x4.sqrt(x);
  if (operation == RELU) return f32x4.pmax(zero(), x);
  if (operation == SCALE) return f32x4.mul(x, by);
  return x;
}

// @ts-ignore: decorator
@inline function unaryRow(operation: i32, n: i32, y: usize, x: usize, xs: usize, by: v128): void {
  if (xs == 4) {
    for (; n >= 4; n -= 4) {
      v128.store(y, applyUnary(operation, v128.load(x), by));
      y += 16;
      x += 16;
    }
    if (n > 0) storeLanes(y, applyUnary(operation, v128.load(x), by), n);
  } else if (xs == 0) {
    const held = applyUnary(operation, v128.load_splat<f32>(x), by);
    for (; n >= 4; n -= 4) {
      v128.store(y, held);
      y += 16;
    }
    if (n > 0) storeLanes(y, held, n);
  } else {
    for (; n > 0; n -= 4) {
      const left = n < 4 ? n : 4;
      const value = left == 4 ? collect(x, xs) : collectPart(x, xs, left);
      storeLanes(y, applyUnary(operation, value, by), left);
      y += 16;
      x += 4 * xs;
    }
  }
}

function collectPart(p: usize, stride: usize, n: i32): v128 {
  let x = v128.load_splat<f32>(p);
  if (n > 1) x = v128.load32_lane(p + stride, x, 1);
  if (n > 2) x = v128.load32_lane(p + 2 * stride, x, 2);
  return x;
}

function geluRow(n: i32, y: usize, x: usize, xs: usize): void {
  const root = v128.load(ERF), low = v128.load(ERF, 16), high = v128.load(ERF, 32), half = v128.load(ERF, 48);
  const a13 = v128.load(ERF, 64), a11 = v128.load(ERF, 80), a9 = v128.load(ERF, 96), a7 = v128.load(ERF, 112);
  const a5 = v128.load(ERF, 128), a3 = v128.load(ERF, 144), a1 = v128.load(ERF, 160);
  const b8 = v128.load(ERF, 176), b6 = v128.load(ERF, 192), b4 = v128.load(ERF, 208), b2 = v128.load(ERF, 224), b0 = v128.load(ERF, 240);
  for (; n > 0; n -= 4) {
    const value = xs == 4 ? v128.load(x) : collectPart(x, xs, n);
    const h = f32x4.mul(value, half);
    const e = erfScaled(value, root, low, high, a13, a11, a9, a7, a5, a3, a1, b8, b6, b4, b2, b0);
    const out = madd(h, e, h);
    if (n >= 4) v128.store(y, out);
    else storeLanes(y, out, n);
    y += 16;
    x += xs == 4 ? 16 : 4 * xs;
  }
}

/** dx = (Φ(x) + x·φ(x))·dy */
function geluGradientRow(n: i32, y: usize, x: usize, xs: usize, d: usize, ds: usize): void {
  const root = v128.load(ERF), low = v128.load(ERF, 16), high = v128.load(ERF, 32), half = v128.load(ERF, 48);
  const a13 = v128.load(ERF, 64), a11 = v128.load(ERF, 80), a9 = v128.load(ERF, 96), a7 = v128.load(ERF, 112);
  const a5 = v128.load(ERF, 128), a3 = v128.load(ERF, 144), a1 = v128.load(ERF, 160);
  const b8 = v128.load(ERF, 176), b6 = v128.load(ERF, 192), b4 = v128.load(ERF, 208), b2 = v128.load(ERF, 224), b0 = v128.load(ERF, 240);
  const lo = v128.load(EXP), magic = v128.load(EXP, 16), c0 = v128.load(EXP, 32), c1 = v128.load(EXP, 48), c2 = v128.load(EXP, 64);
  const c3 = v128.load(EXP, 80), c4 = v128.load(EXP, 96), c5 = v128.load(EXP, 112), c6 = v128.load(EXP, 128);
  const log = f32x4.splat(-0.7213475204444817), density = f32x4.splat(0.3989422804014327);
  for (; n > 0; n -= 4) {
    const value = xs == 4 ? v128.load(x) : collectPart(x, xs, n);
    const e = erfScaled(value, root, low, high, a13, a11, a9, a7, a5, a3, a1, b8, b6, b4, b2, b0);
    const cdf = madd(half, e, half);
    const bell = exp2(f32x4.mul(f32x4.mul(value, value), log), lo, magic, c0, c1, c2, c3, c4, c5, c6);
    const slope = madd(f32x4.mul(value, density), bell, cdf);
    const out = f32x4.mul(slope, ds == 4 ? v128.load(d) : collectPart(d, ds, n));
    if (n >= 4) v128.store(y, out);
    else storeLanes(y, out, n);
    y += 16;
    x += xs == 4 ? 16 : 4 * xs;
    d += ds == 4 ? 16 : 4 * ds;
  }
}

/** y = f(x), f by number; `by` is what SCALE multiplies with. */
export function unary(operation: i32, dims: usize, y: usize, x: usize, by: f32): void {
  unaryAxis(operation, load<i32>(dims), dims + 4, y, x, f32x4.splat(by));
}

function unaryAxis(operation: i32, rank: i32, dims: usize, y: usize, x: usize, by: v128): void {
  const n = load<i32>(dims), ys = load<usize>(dims, 4), xs = load<usize>(dims, 8);
  if (rank > 1) {
    for (let i = 0; i < n; i++) {
      unaryAxis(operation, rank - 1, dims + AXIS, y, x, by);
      y += ys;
      x += xs;
    }
    return;
  }
  switch (operation) {
    case COPY:
      if (xs == 4) memory.copy(y, x, <usize>n << 2);
      else unaryRow(COPY, n, y, x, xs, by);
      break;
    case SQRT: unaryRow(SQRT, n, y, x, xs, by); break;
    case RELU: unaryRow(RELU, n, y, x, xs, by); break;
    case SCALE: unaryRow(SCALE, n, y, x, xs, by); break;
    default: geluRow(n, y, x, xs);
  }
}

// @ts-ignore: decorator
@inline function applyBinary(operation: i32, a: v128, b: v128, ratio: v128, scale: v128): v128 {
  if (operation == ADD) return f32x4.add(a, b);
  if (operation == SUB) return f32x4.sub(a, b);
  if (operation == MUL) return f32x4.mul(a, b);
  if (operation == DIV) return f32x4.div(a, b);
  if (operation == RELU_GRADIENT) return v128.and(b, f32x4.gt(a, zero()));
  return v128.and(f32x4.mul(a, scale), f32x4.ge(b, ratio));
}

// @ts-ignore: decorator
@inline function binaryRow(operation: i32, n: i32, y: usize, a: usize, sa: usize, b: usize, sb: usize, ratio: v128, scale: v128): void {
  if (sa == 4 && sb == 4) {
    for (; n >= 4; n -= 4) {
      v128.store(y, applyBinary(operation, v128.load(a), v128.load(b), ratio, scale));
      y += 16;
      a += 16;
      b += 16;
    }
    if (n > 0) storeLanes(y, applyBinary(operation, v128.load(a), v128.load(b), ratio, scale), n);
  } else if (sa == 4 && sb == 0) {
    const held = v128.load_splat<f32>(b);
    for (; n >= 4; n -= 4) {
      v128.store(y, applyBinary(operation, v128.load(a), held, ratio, scale));
      y += 16;
      a += 16;
    }
    if (n > 0) storeLanes(y, applyBinary(operation, v128.load(a), held, ratio, scale), n);
  } else if (sa == 0 && sb == 4) {
    const held = v128.load_splat<f32>(a);
    for (; n >= 4; n -= 4) {
      v128.store(y, applyBinary(operation, held, v128.load(b), ratio, scale));
      y += 16;
      b += 16;
    }
    if (n > 0) storeLanes(y, applyBinary(operation, held, v128.load(b), ratio, scale), n);
  } else {
    for (; n > 0; n -= 4) {
      const left = n < 4 ? n : 4;
      storeLanes(y, applyBinary(operation, collectPart4(a, sa, left), collectPart4(b, sb, left), ratio, scale), left);
      y += 16;
      a += 4 * sa;
      b += 4 * sb;
    }
  }
}

function collectPart4(p: usize, stride: usize, n: i32): v128 {
  return n == 4 ? collect(p, stride) : collectPart(p, stride, n);
}

/** y = f(a, b), f by number. DROPOUT: a·scale where b ≥ ratio, else 0. */
export function binary(operation: i32, dims: usize, y: usize, a: usize, b: usize, ratio: f32, scale: f32): void {
  binaryAxis(operation, load<i32>(dims), dims + 4, y, a, b, f32x4.splat(ratio), f32x4.splat(scale));
}

function binaryAxis(operation: i32, rank: i32, dims: usize, y: usize, a: usize, b: usize, ratio: v128, scale: v128): void {
  const n = load<i32>(dims), ys = load<usize>(dims, 4), sa = load<usize>(dims, 8), sb = load<usize>(dims, 12);
  if (rank > 1) {
    for (let i = 0; i < n; i++) {
      binaryAxis(operation, rank - 1, dims + AXIS, y, a, b, ratio, scale);
      y += ys;
      a += sa;
      b += sb;
    }
    return;
  }
  switch (operation) {
    case ADD: binaryRow(ADD, n, y, a, sa, b, sb, ratio, scale); break;
    case SUB: binaryRow(SUB, n, y, a, sa, b, sb, ratio, scale); break;
    case MUL: binaryRow(MUL, n, y, a, sa, b, sb, ratio, scale); break;
    case DIV: binaryRow(DIV, n, y, a, sa, b, sb, ratio, scale); break;
    case RELU_GRADIENT: binaryRow(RELU_GRADIENT, n, y, a, sa, b, sb, ratio, scale); break;
    case DROPOUT: binaryRow(DROPOUT, n, y, a, sa, b, sb, ratio, scale); break;
    default: geluGradientRow(n, y, a, sa, b, sb);
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
    storeLanes(y, madd(collectPart4(x, xs, left), collectPart4(factor, fs, left), collectPart4(shift, ss, left)), left);
    y += 16;
    x += 4 * xs;
    factor += 4 * fs;
    shift += 4 * ss;
  }
}
