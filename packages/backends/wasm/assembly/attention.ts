/** softmax(scale · Q·Kᵀ)·V, a head of a sequence at a time, 8 queries in lanes: no score leaves the first-level cache. */
import { EXP, exp2, FAINT } from "./math";
import { PANEL, panel_1, panel_2, strided_1, strided_2 } from "./micro-kernels";
import { most, zero } from "./simd";

/**
 * `shape`: queries L, keys S, channels C of q and k, channels of v, heads, sequences; then byte strides { head, sequence,
 * channel } of q, k, v, y; then log2(e)·scale (float). Neighbouring tokens lie together in all four. `scratch`:
 * 32·(C + S + 8) bytes, for queries times the scale and for scores.
 *
 * Softmax runs over keys with queries in lanes: no sum across lanes. 1/Σ is applied to the product with V.
 */
export function attention(shape: usize, q: usize, k: usize, v: usize, y: usize, scratch: usize): void {
  const L = load<i32>(shape), S = load<i32>(shape, 4), C = load<i32>(shape, 8), CV = load<i32>(shape, 12);
  const heads = load<i32>(shape, 16), sequences = load<i32>(shape, 20);
  const qh = load<usize>(shape, 24), qb = load<usize>(shape, 28), qc = load<usize>(shape, 32);
  const kh = load<usize>(shape, 36), kb = load<usize>(shape, 40), kc = load<usize>(shape, 44);
  const vh = load<usize>(shape, 48), vb = load<usize>(shape, 52), vc = load<usize>(shape, 56);
  const yh = load<usize>(shape, 60), yb = load<usize>(shape, 64), yc = load<usize>(shape, 68);
  const scale = v128.load_splat<f32>(shape, 72);
  for (let b = 0; b < sequences; b++) {
    for (let h = 0; h < heads; h++) {
      const keys = k + b * kb + h * kh, values = v + b * vb + h * vh;
      let queries = q + b * qb + h * qh, to = y + b * yb + h * yh;
      let left = L;
      for (; left > 4; left -= 8) {
        eightQueries(min(8, left), S, C, CV, queries, qc, keys, kc, values, vc, to, yc, scale, scratch);
        queries += 32;
        to += 32;
      }
      if (left > 0) fourQueries(left, S, C, CV, queries, qc, keys, kc, values, vc, to, yc, scale, scratch);
    }
  }
}

function eightQueries(
  columns: i32, S: i32, C: i32, CV: i32, q: usize, qc: usize, k: usize, kc: usize, v: usize, vc: usize,
  y: usize, yc: usize, scale: v128, scratch: usize,
): void {
  const lo = v128.load(FAINT), magic = v128.load(EXP, 16), c0 = v128.load(EXP, 32), c1 = v128.load(EXP, 48), c2 = v128.load(EXP, 64);
  const c3 = v128.load(EXP, 80), c4 = v128.load(EXP, 96), c5 = v128.load(EXP, 112);
  const scores = scratch + (<usize>C << 5), end = scores + (<usize>S << 5);
  for (let p = scratch; p < scores; p += 32) {
    v128.store(p, f32x4.mul(v128.load(q), scale));
    v128.store(p, f32x4.mul(v128.load(q, 16), scale), 16);
    q += qc;
  }
  for (let j = 0; j < S; ) {
    const left = S - j;
    const to = scores + (<usize>j << 5), from = k + (<usize>j << 2);
    // The last 7 or 8 keys as 4 and 4, not as 6 and 6.
    if (PANEL == 4 || (left >= PANEL && left != 7 && left != 8)) {
      panel_2(min(PANEL, left), 8, C, scratch, 32, from, kc, 0, to, 32, 0);
      j += PANEL;
    } else {
      const one = f32x4.splat(1);
      strided_2(min(4, left), 8, C, scratch, 32, from, 4, kc, to, 32, one, one);
      j += 4;
    }
  }
  let m0 = v128.load(scores), m1 = v128.load(scores, 16);
  for (let p = scores + 32; p < end; p += 32) {
    m0 = most(m0, v128.load(p));
    m1 = most(m1, v128.load(p, 16));
  }
  let t0 = zero(), t1 = zero();
  for (let p = scores; p < end; p += 32) {
    const e0 = exp2(f32x4.sub(v128.load(p), m0), lo, magic, c0, c1, c2, c3, c4, c5);
    const e1 = exp2(f32x4.sub(v128.load(p, 16), m1), lo, magic, c0, c1, c2, c3, c4, c5);
    t0 = f32x4.add(t0, e0);
    t1 = f32x4.add(t1, e1);
    v128.store(p, e0);
    v128.store(p, e1, 16);
  }
  t0 = f32x4.div(f32x4.splat(1), t0);
  t1 = f32x4.div(f32x4.splat(1), t1);
  for (let c = 0; c < CV; c += 4) {
    strided_2(min(4, CV - c), columns, S, scores, 32, v + c * vc, vc, 4, y + c * yc, yc, t0, t1);
  }
}

/** The remaining queries, or all of them if there are few (Crossformer's routers). */
function fourQueries(
  columns: i32, S: i32, C: i32, CV: i32, q: usize, qc: usize, k: usize, kc: usize, v: usize, vc: usize,
  y: usize, yc: usize, scale: v128, scratch: usize,
): void {
  const lo = v128.load(FAINT), magic = v128.load(EXP, 16), c0 = v128.load(EXP, 32), c1 = v128.load(EXP, 48), c2 = v128.load(EXP, 64);
  const c3 = v128.load(EXP, 80), c4 = v128.load(EXP, 96), c5 = v128.load(EXP, 112);
  const scores = scratch + (<usize>C << 4), end = scores + (<usize>S << 4);
  for (let p = scratch; p < scores; p += 16) {
    v128.store(p, f32x4.mul(v128.load(q), scale));
    q += qc;
  }
  for (let j = 0; j < S; j += PANEL) {
    panel_1(min(PANEL, S - j), 4, C, scratch, 16, k + (<usize>j << 2), kc, 0, scores + (<usize>j << 4), 16, 0);
  }
  let top = v128.load(scores);
  for (let p = scores + 16; p < end; p += 16) top = most(top, v128.load(p));
  let total = zero();
  for (let p = scores; p < end; p += 16) {
    const value = exp2(f32x4.sub(v128.load(p), top), lo, magic, c0, c1, c2, c3, c4, c5);
    total = f32x4.add(total, value);
    v128.store(p, value);
  }
  total = f32x4.div(f32x4.splat(1), total);
  for (let c = 0; c < CV; c += 4) {
    strided_1(min(4, CV - c), columns, S, scores, 16, v + c * vc, vc, 4, y + c * yc, yc, total);
  }
}
