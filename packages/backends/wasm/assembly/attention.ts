/** softmax(scale · Q·Kᵀ)·V, a head of a sequence at a time, 8 queries in lanes: no score leaves the first-level cache. */
import { EXP, exp2 } from "./math";
import { panel_2, strided_2 } from "./micro-kernels";
import { PANEL } from "./micro-kernels";
import { madd, most, zero } from "./simd";

/**
 * `shape`: queries L, keys S, channels C of q and k, channels of v, heads, sequences; then byte strides { head, sequence,
 * channel } of q, k, v, y; then log2(e)·scale (float). Neighbouring tokens lie together in all four. `scores`: 32·(S + 8)
 * bytes.
 *
 * Softmax runs over keys with queries in lanes: no sum across lanes. 1/Σ is applied to the product with V.
 */
export function attention(shape: usize, q: usize, k: usize, v: usize, y: usize, scores: usize): void {
  const L = load<i32>(shape), S = load<i32>(shape, 4), C = load<i32>(shape, 8), CV = load<i32>(shape, 12);
  const heads = load<i32>(shape, 16), sequences = load<i32>(shape, 20);
  const qh = load<usize>(shape, 24), qb = load<usize>(shape, 28), qc = load<usize>(shape, 32);
  const kh = load<usize>(shape, 36), kb = load<usize>(shape, 40), kc = load<usize>(shape, 44);
  const vh = load<usize>(shape, 48), vb = load<usize>(shape, 52), vc = load<usize>(shape, 56);
  const yh = load<usize>(shape, 60), yb = load<usize>(shape, 64), yc = load<usize>(shape, 68);
  const scale = v128.load_splat<f32>(shape, 72);
  const lo = v128.load(EXP), magic = v128.load(EXP, 16), c0 = v128.load(EXP, 32), c1 = v128.load(EXP, 48), c2 = v128.load(EXP, 64);
  const c3 = v128.load(EXP, 80), c4 = v128.load(EXP, 96), c5 = v128.load(EXP, 112), c6 = v128.load(EXP, 128);
  const end = scores + (<usize>S << 5);
  for (let b = 0; b < sequences; b++) {
    for (let h = 0; h < heads; h++) {
      const keys = k + b * kb + h * kh, values = v + b * vb + h * vh;
      for (let i = 0; i < L; i += 8) {
        const columns = min(8, L - i);
        const queries = q + b * qb + h * qh + (<usize>i << 2);
        const to = y + b * yb + h * yh + (<usize>i << 2);
        // Rows beyond the last key are computed from what lies there, and not stored.
        for (let j = 0; j < S; j += PANEL) {
          panel_2(min(PANEL, S - j), 8, C, queries, qc, keys + (<usize>j << 2), kc, 0, scores + (<usize>j << 5), 32, 0);
        }
        let m0 = v128.load(scores), m1 = v128.load(scores, 16);
        for (let p = scores + 32; p < end; p += 32) {
          m0 = most(m0, v128.load(p));
          m1 = most(m1, v128.load(p, 16));
        }
        m0 = f32x4.neg(f32x4.mul(m0, scale));
        m1 = f32x4.neg(f32x4.mul(m1, scale));
        let t0 = zero(), t1 = zero();
        for (let p = scores; p < end; p += 32) {
          const e0 = exp2(madd(v128.load(p), scale, m0), lo, magic, c0, c1, c2, c3, c4, c5, c6);
          const e1 = exp2(madd(v128.load(p, 16), scale, m1), lo, magic, c0, c1, c2, c3, c4, c5, c6);
          t0 = f32x4.add(t0, e0);
          t1 = f32x4.add(t1, e1);
          v128.store(p, e0);
          v128.store(p, e1, 16);
        }
        const one = f32x4.splat(1);
        t0 = f32x4.div(one, t0);
        t1 = f32x4.div(one, t1);
        for (let c = 0; c < CV; c += 4) {
          strided_2(min(4, CV - c), columns, S, scores, 32, values + c * vc, vc, 4, to + c * yc, yc, t0, t1);
        }
      }
    }
  }
}
