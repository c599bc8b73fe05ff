/** Building blocks of all kernels. With relaxed SIMD, products and sums fuse; without it, the same code rounds twice. */

// @ts-ignore: decorator
@inline export function zero(): v128 {
  return f32x4.splat(0);
}

/** a·b + c */
// @ts-ignore: decorator
@inline export function madd(a: v128, b: v128, c: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? f32x4.relaxed_madd(a, b, c) : f32x4.add(f32x4.mul(a, b), c);
}

/** Smaller of both; which NaN comes out is open. */
// @ts-ignore: decorator
@inline export function least(a: v128, b: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? f32x4.relaxed_min(a, b) : f32x4.pmin(a, b);
}

// @ts-ignore: decorator
@inline export function most(a: v128, b: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? f32x4.relaxed_max(a, b) : f32x4.pmax(a, b);
}

// @ts-ignore: decorator
@inline export function sumLanes(a: v128): f32 {
  const pairs = f32x4.add(a, v128.shuffle<f32>(a, a, 2, 3, 0, 1));
  return f32x4.extract_lane(pairs, 0) + f32x4.extract_lane(pairs, 1);
}

// @ts-ignore: decorator
@inline export function maxLanes(a: v128): f32 {
  const pairs = f32x4.max(a, v128.shuffle<f32>(a, a, 2, 3, 0, 1));
  return max(f32x4.extract_lane(pairs, 0), f32x4.extract_lane(pairs, 1));
}

/** The first `lanes` lanes (4 or more: all). */
export function storeLanes(to: usize, a: v128, lanes: i32): void {
  if (lanes >= 4) {
    v128.store(to, a);
    return;
  }
  if (lanes & 2) {
    v128.store64_lane(to, a, 0);
    if (lanes & 1) v128.store32_lane(to, a, 2, 8);
  } else if (lanes & 1) v128.store32_lane(to, a, 0);
}

const laneNumbers = memory.data<i32>([0, 1, 2, 3], 16);

/** a where the lane is below `lanes`, zero elsewhere. */
// @ts-ignore: decorator
@inline export function keepLanes(a: v128, lanes: i32): v128 {
  return v128.and(a, i32x4.lt_s(v128.load(laneNumbers), i32x4.splat(lanes)));
}
