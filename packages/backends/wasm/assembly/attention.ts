/**
 * softmax(scale · Q·Kᵀ)·V, a head of a sequence at a time, 8 queries in lanes (or the last 4): no score leaves the
 * first-level cache.
 */
import { EXP, exp2Below, FAINT } from "./math";
import { PANEL, panel_1, panel_2, scores_1, scores_2, strided_1, strided_2 } from "./micro-kernels";
import { most, zero } from "./simd";

/**
 * `shape`: queries L, keys S, channels C of q and k, channels of v, heads, sequences; then byte strides { head, sequence,
 * channel } of q, k, v, y; then log2(e)·scale (float). Neighbouring tokens lie together in all four. `scratch`:
 * 32·(C + 2·S + 8) bytes, for queries times the scale and for scores of two blocks of queries: those of a block are made
 * before the block before it is finished, so that nothing waits for the largest of them.
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
  const first = scratch + (<usize>C << 5), second = first + (<usize>(S + 1) << 5);
  let scores = first, values: usize = 0, to: usize = 0, columns = 0;
  // Neighbouring sequences share cache lines and pages, heads do not.
  for (let h = 0; h < heads; h++) {
    for (let b = 0; b < sequences; b++) {
      const queries = q + b * qb + h * qh, keys = k + b * kb + h * kh;
      for (let l = 0; l < L; l += 8) {
        const left = min(8, L - l), next = scores == first ? second : first;
        scoresOf(left, S, C, queries + (<usize>l << 2), qc, keys, kc, scale, scratch, next);
        if (columns) finish(columns, S, CV, scores, values, vc, to, yc);
        scores = next;
        columns = left;
        values = v + b * vb + h * vh;
        to = y + b * yb + h * yh + (<usize>l << 2);
      }
    }
  }
  if (columns) finish(columns, S, CV, scores, values, vc, to, yc);
}

/** Scores of up to 8 queries with all keys, and behind them the largest of each query. */
function scoresOf(
  columns: i32, S: i32, C: i32, q: usize, qc: usize, k: usize, kc: usize, scale: v128, scratch: usize, scores: usize,
): void {
  const wide = columns > 4, step: usize = wide ? 32 : 16, end = scores + S * step;
  let to = scratch;
  for (let c = 0; c < C; c++) {
    v128.store(to, f32x4.mul(v128.load(q), scale));
    if (wide) v128.store(to, f32x4.mul(v128.load(q, 16), scale), 16);
    q += qc;
    to += step;
  }
  let j = 0;
  // The last 7 or 8 keys as 4 and 4, not as 6 and 6.
  if (!wide) j = scores_1(S, C, scratch, k, kc, scores, end);
  else j = scores_2(PANEL == 6 && (S % 6 == 1 || S % 6 == 2) ? S - 6 : S, C, scratch, k, kc, scores, end);
  const one = f32x4.splat(1);
  while (j < S) {
    const from = k + (<usize>j << 2), last = scores + j * step;
    let keys = S - j;
    if (!wide) {
      keys = min(PANEL, keys);
      panel_1(keys, 4, C, scratch, 16, from, kc, 0, last, 16, 0);
    } else if (PANEL == 6 && keys == 5) {
      panel_2(keys, 8, C, scratch, 32, from, kc, 0, last, 32, 0);
    } else {
      keys = min(4, keys);
      strided_2(keys, 8, C, scratch, 32, from, 4, kc, last, 32, one, one);
    }
    j += keys;
    let m0 = v128.load(end), m1 = v128.load(end, 16);
    for (let p = last; p < scores + j * step; p += step) {
      m0 = most(m0, v128.load(p));
      m1 = most(m1, v128.load(p, 16));
    }
    v128.store(end, m0);
    v128.store(end, m1, 16);
  }
}

/** Probabilities of up to 8 queries, and their product with V. */
function finish(columns: i32, S: i32, CV: i32, scores: usize, v: usize, vc: usize, y: usize, yc: usize): void {
  if (columns > 4) {
    const end = scores + (<usize>S << 5);
    const t0 = exponentials(scores, end, 32), t1 = exponentials(scores + 16, end + 16, 32);
    for (let c = 0; c < CV; c += 4) {
      strided_2(min(4, CV - c), columns, S, scores, 32, v + c * vc, vc, 4, y + c * yc, yc, t0, t1);
    }
  } else {
    const t = exponentials(scores, scores + (<usize>S << 4), 16);
    for (let c = 0; c < CV; c += 8) {
      strided_1(min(8, CV - c), columns, S, scores, 16, v + c * vc, vc, 4, y + c * yc, yc, t);
    }
  }
}

/** Makes exponentials of the scores from p on, the largest of which lies at `end`; gives 1 / their sum. */
function exponentials(p: usize, end: usize, step: usize): v128 {
  const c0 = v128.load(EXP, 32), c1 = v128.load(EXP, 48), c2 = v128.load(EXP, 64);
  const c3 = v128.load(EXP, 80), c4 = v128.load(EXP, 96), c5 = v128.load(EXP, 112);
  const top = v128.load(end), lo = f32x4.add(top, v128.load(FAINT)), from = f32x4.sub(v128.load(EXP, 16), f32x4.nearest(top));
  let total = zero();
  for (; p < end; p += step) {
    const value = exp2Below(v128.load(p), lo, from, c0, c1, c2, c3, c4, c5);
    total = f32x4.add(total, value);
    v128.store(p, value);
  }
  return f32x4.div(f32x4.splat(1), total);
}
