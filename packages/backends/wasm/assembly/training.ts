/** Randomness and the optimiser. */
import { trains } from "./scope";
import { keepLanes, madd, storeLanes, zero } from "./simd";

const AXIS: usize = 20;

function mix(x: u32): u32 {
  let h = (x ^ (x >>> 16)) * 0x85ebca6b;
  h = (h ^ (h >>> 13)) * 0xc2b2ae35;
  return h ^ (h >>> 16);
}

// @ts-ignore: decorator
@inline function mix4(x: v128): v128 {
  let h = i32x4.mul(v128.xor(x, i32x4.shr_u(x, 16)), i32x4.splat(0x85ebca6b));
  h = i32x4.mul(v128.xor(h, i32x4.shr_u(h, 13)), i32x4.splat(0xc2b2ae35));
  return v128.xor(h, i32x4.shr_u(h, 16));
}

/** 24 random bits of each element. */
// @ts-ignore: decorator
@inline function bitsOf(key: v128, at: v128): v128 {
  return i32x4.shr_u(mix4(v128.xor(key, mix4(at))), 8);
}

/**
 * Core's random numbers of (seed, step, stream, element), or with `threshold` ≥ 0 a dropout's factors: `kept` where the
 * number's 24 bits reach the threshold, 0 elsewhere. In `dims` a's strides are those of the element's number, which
 * begins with `first`.
 */
export function random(dims: usize, y: usize, seed: usize, step: usize, stream: u32, threshold: i32, kept: f32, first: u32): void {
  const s = <u32>(<i64>load<f32>(seed)), t = <u32>(<i64>load<f32>(step));
  const key = mix(mix(mix(s ^ 0x9e3779b9) ^ t) ^ stream);
  randomAxis(load<i32>(dims), dims + 4, y, first, i32x4.splat(key), threshold, f32x4.splat(kept));
}

function randomAxis(rank: i32, dims: usize, y: usize, index: u32, key: v128, threshold: i32, kept: v128): void {
  let n = load<i32>(dims);
  const ys = load<usize>(dims, 4), stride = load<u32>(dims, 8);
  if (rank > 1) {
    for (let i = 0; i < n; i++) {
      randomAxis(rank - 1, dims + AXIS, y, index, key, threshold, kept);
      y += ys;
      index += stride;
    }
    return;
  }
  let at = i32x4.add(i32x4.splat(index + 0x632be5ab), i32x4.mul(i32x4(0, 1, 2, 3), i32x4.splat(stride)));
  const next = i32x4.splat(4 * stride), limit = i32x4.splat(threshold), unit = f32x4.splat(1.0 / 16777216.0);
  if (trains && threshold >= 0) {
    // Two at a time: products of integers take long.
    for (; n >= 8; n -= 8) {
      const later = i32x4.add(at, next);
      v128.store(y, v128.and(i32x4.ge_s(bitsOf(key, at), limit), kept));
      v128.store(y, v128.and(i32x4.ge_s(bitsOf(key, later), limit), kept), 16);
      at = i32x4.add(later, next);
      y += 32;
    }
  }
  for (; n > 0; n -= 4) {
    const bits = bitsOf(key, at);
    const value = threshold >= 0 ? v128.and(i32x4.ge_s(bits, limit), kept) : f32x4.mul(f32x4.convert_i32x4_s(bits), unit);
    storeLanes(y, value, n);
    at = i32x4.add(at, next);
    y += 16;
  }
}

/** base to a whole power. */
function power(base: f64, exponent: i32): f64 {
  let result = 1.0;
  for (let e = exponent; e > 0; e >>= 1) {
    if (e & 1) result *= base;
    base *= base;
  }
  return result;
}

/** Core's `adamTiny`: what counts as zero, so that no operation meets a subnormal number. */
const TINY_GRADIENT: f32 = 2.7755575615628914e-17, TINY_M: f32 = 8.271806125530277e-25, TINY_V: f32 = 2.350988701644575e-38;

/** a where its size reaches `least`, else 0. */
// @ts-ignore: decorator
@inline function unlessTiny(a: v128, least: v128): v128 {
  return v128.andnot(a, f32x4.lt(f32x4.abs(a), least));
}

/**
 * One step of Adam over n neighbours, all in one pass; outputs may be the inputs. `mask` may be 0. `settings`: beta1,
 * beta2, epsilon, weight decay, all float64.
 */
export function adam(
  n: i32, p: usize, g: usize, m: usize, v: usize, mask: usize, p2: usize, m2: usize, v2: usize,
  step: usize, rate: usize, settings: usize,
): void {
  const beta1 = load<f64>(settings), beta2 = load<f64>(settings, 8);
  const t = <i32>load<f32>(step);
  const b1 = f32x4.splat(<f32>beta1), b2 = f32x4.splat(<f32>beta2);
  const c1 = f32x4.splat(<f32>(1 - beta1)), c2 = f32x4.splat(<f32>(1 - beta2));
  const r1 = f32x4.splat(<f32>(<f64>load<f32>(rate) / (1 - power(beta1, t)))), r2 = f32x4.splat(<f32>(1 / (1 - power(beta2, t))));
  const epsilon = f32x4.splat(<f32>load<f64>(settings, 16)), decay = f32x4.splat(<f32>load<f64>(settings, 24));
  const tinyGradient = f32x4.splat(TINY_GRADIENT), tinyM = f32x4.splat(TINY_M), tinyV = f32x4.splat(TINY_V);
  for (let i = 0; i < n; i += 4) {
    const left = n - i;
    const old = v128.load(p), oldM = v128.load(m), oldV = v128.load(v);
    const gradient = unlessTiny(madd(decay, old, v128.load(g)), tinyGradient);
    let newM = unlessTiny(madd(b1, oldM, f32x4.mul(c1, gradient)), tinyM);
    let newV = unlessTiny(madd(b2, oldV, f32x4.mul(f32x4.mul(c2, gradient), gradient)), tinyV);
    let next = f32x4.sub(old, f32x4.div(f32x4.mul(r1, newM), f32x4.add(f32x4.sqrt(f32x4.mul(newV, r2)), epsilon)));
    if (mask) {
      const closed = f32x4.eq(v128.load(mask), zero());
      next = v128.andnot(next, closed);
      newM = v128.bitselect(oldM, newM, closed);
      newV = v128.bitselect(oldV, newV, closed);
      mask += 16;
    }
    storeLanes(p2, next, left);
    storeLanes(m2, newM, left);
    storeLanes(v2, newV, left);
    p += 16;
    g += 16;
    m += 16;
    v += 16;
    p2 += 16;
    m2 += 16;
    v2 += 16;
  }
}
