/**
 * Exponential and error function as polynomials. Constants lie in memory and are loaded before a kernel's loop: as
 * `f32x4.splat(constant)` inside it they are made anew each time (GELU 41 % slower, softmax 30…45 %).
 */
import { least, madd, most } from "./simd";

/** 2^x: lowest exponent, 1.5·2²³ (rounds to integers), then a polynomial for ±½ with 2⁰ = 1; relative error 1.6e-7. */
export const EXP: usize = memory.data<f32>([
  -126.0, -126.0, -126.0, -126.0, 12582912.0, 12582912.0, 12582912.0, 12582912.0,
  1.0, 1.0, 1.0, 1.0, 0.6931470036506653, 0.6931470036506653, 0.6931470036506653, 0.6931470036506653,
  0.24022242426872253, 0.24022242426872253, 0.24022242426872253, 0.24022242426872253,
  0.05550733581185341, 0.05550733581185341, 0.05550733581185341, 0.05550733581185341,
  0.009671512991189957, 0.009671512991189957, 0.009671512991189957, 0.009671512991189957,
  0.001326472731307149, 0.001326472731307149, 0.001326472731307149, 0.001326472731307149,
], 16);

/**
 * Lowest exponent where 2^x is a share of something: a probability, or a slope beside a larger one. What is smaller adds
 * nothing that float32 would show, but its products may be subnormal.
 */
export const FAINT: usize = memory.data<f32>([-64.0, -64.0, -64.0, -64.0], 16);

/**
 * 2^x for x ≤ 0 (any x up to 128 is right, too); exactly 0 below `lo`, which is −126 or more: an Intel core spends some
 * 150 cycles on every operation that meets a subnormal number, and WebAssembly cannot flush them. NaN stays NaN.
 */
// @ts-ignore: decorator
@inline export function exp2(x: v128, lo: v128, magic: v128, c0: v128, c1: v128, c2: v128, c3: v128, c4: v128, c5: v128): v128 {
  const z = f32x4.add(x, magic);
  const f = f32x4.sub(x, f32x4.sub(z, magic));
  let p = madd(c5, f, c4);
  p = madd(p, f, c3);
  p = madd(p, f, c2);
  p = madd(p, f, c1);
  p = madd(p, f, c0);
  return v128.andnot(i32x4.add(p, i32x4.shl(z, 23)), f32x4.lt(x, lo));
}

/**
 * GELU(x) = max(x, 0) − a·Φ(−a), a = min(|x|, 6), Φ(−a) = P(−a)⁸. The eighth root is so smooth that seven degrees do,
 * without a division; P has the form that Knuth gives for known coefficients (TAOCP 4.6.4), where additions, for which
 * processors have units of their own, take the place of four products. Off by at most 3.3e-7, by 2.8e-7 with fused
 * products; x·(½ + ½·erf(x/√2)) with the quotient below is off by 9.3e-7. The sign, −6, then a shift, a line, and three steps.
 */
export const GELU: usize = memory.data<f32>([
  -0.0, -0.0, -0.0, -0.0,
  -6.0, -6.0, -6.0, -6.0,
  -2.174999952316284, -2.174999952316284, -2.174999952316284, -2.174999952316284,
  -3.2109583116834983e-06, -3.2109583116834983e-06, -3.2109583116834983e-06, -3.2109583116834983e-06,
  -8.427861757809296e-05, -8.427861757809296e-05, -8.427861757809296e-05, -8.427861757809296e-05,
  -239.52871704101562, -239.52871704101562, -239.52871704101562, -239.52871704101562,
  0.017827199772000313, 0.017827199772000313, 0.017827199772000313, 0.017827199772000313,
  -2.5719594955444336, -2.5719594955444336, -2.5719594955444336, -2.5719594955444336,
  -0.015447725541889668, -0.015447725541889668, -0.015447725541889668, -0.015447725541889668,
  11.742913246154785, 11.742913246154785, 11.742913246154785, 11.742913246154785,
  0.7547709345817566, 0.7547709345817566, 0.7547709345817566, 0.7547709345817566,
], 16);

/**
 * 2^(s − m) for the largest of many, m rounded to a whole number, in one operation less: m is part of the number that
 * rounds s, `from` = 1.5·2²³ − m. Exactly 0 where s < `lo`.
 */
// @ts-ignore: decorator
@inline export function exp2Below(s: v128, lo: v128, from: v128, c0: v128, c1: v128, c2: v128, c3: v128, c4: v128, c5: v128): v128 {
  const z = f32x4.add(s, from);
  const f = f32x4.sub(s, f32x4.sub(z, from));
  let p = madd(c5, f, c4);
  p = madd(p, f, c3);
  p = madd(p, f, c2);
  p = madd(p, f, c1);
  p = madd(p, f, c0);
  return v128.andnot(i32x4.add(p, i32x4.shl(z, 23)), f32x4.lt(s, lo));
}

/** erf(t) = t·P(t²)/Q(t²) for |t| ≤ 4, ±1 beyond: the rational approximation that Eigen and TensorFlow use. 1/√2, ±4, ½ first. */
export const ERF: usize = memory.data<f32>([
  0.7071067811865476, 0.7071067811865476, 0.7071067811865476, 0.7071067811865476,
  -4.0, -4.0, -4.0, -4.0, 4.0, 4.0, 4.0, 4.0, 0.5, 0.5, 0.5, 0.5,
  -2.72614225801306e-10, -2.72614225801306e-10, -2.72614225801306e-10, -2.72614225801306e-10,
  2.77068142495902e-08, 2.77068142495902e-08, 2.77068142495902e-08, 2.77068142495902e-08,
  -2.10102402082508e-06, -2.10102402082508e-06, -2.10102402082508e-06, -2.10102402082508e-06,
  -5.69250639462346e-05, -5.69250639462346e-05, -5.69250639462346e-05, -5.69250639462346e-05,
  -7.34990630326855e-04, -7.34990630326855e-04, -7.34990630326855e-04, -7.34990630326855e-04,
  -2.95459980854025e-03, -2.95459980854025e-03, -2.95459980854025e-03, -2.95459980854025e-03,
  -1.60960333262415e-02, -1.60960333262415e-02, -1.60960333262415e-02, -1.60960333262415e-02,
  -1.45660718464996e-05, -1.45660718464996e-05, -1.45660718464996e-05, -1.45660718464996e-05,
  -2.13374055278905e-04, -2.13374055278905e-04, -2.13374055278905e-04, -2.13374055278905e-04,
  -1.68282697438203e-03, -1.68282697438203e-03, -1.68282697438203e-03, -1.68282697438203e-03,
  -7.37332916720468e-03, -7.37332916720468e-03, -7.37332916720468e-03, -7.37332916720468e-03,
  -1.42647390514189e-02, -1.42647390514189e-02, -1.42647390514189e-02, -1.42647390514189e-02,
], 16);

/** erf(x/√2), so that Φ(x) = ½ + ½·erfScaled(x). */
// @ts-ignore: decorator
@inline export function erfScaled(
  x: v128, root: v128, low: v128, high: v128,
  a13: v128, a11: v128, a9: v128, a7: v128, a5: v128, a3: v128, a1: v128, b8: v128, b6: v128, b4: v128, b2: v128, b0: v128,
): v128 {
  const t = least(most(f32x4.mul(x, root), low), high);
  const q = f32x4.mul(t, t);
  let a = madd(a13, q, a11);
  a = madd(a, q, a9);
  a = madd(a, q, a7);
  a = madd(a, q, a5);
  a = madd(a, q, a3);
  a = madd(a, q, a1);
  let b = madd(b8, q, b6);
  b = madd(b, q, b4);
  b = madd(b, q, b2);
  b = madd(b, q, b0);
  return f32x4.div(f32x4.mul(t, a), b);
}
