/** Dense products: with packed weights (layers), and of two strided matrices (attention in training, weight gradients). */
import { PANEL, panel_1, panel_2, panels_1, strided_1, strided_2 } from "./micro-kernels";
import { madd, zero } from "./simd";

export function panelRows(): i32 {
  return PANEL;
}

/** Weights W[n, k] = w + n·ns + k·ks into panels of PANEL rows; rows that are missing in the last one are zero. */
export function packPanels(N: i32, K: i32, w: usize, ns: usize, ks: usize, to: usize): void {
  for (let n = 0; n < N; n += PANEL) {
    const rows = min(PANEL, N - n);
    let from = w + <usize>n * ns, k = 0;
    if (rows == PANEL && ks == 4) {
      for (; k + 4 <= K; k += 4) {
        packFour(from, ns, to);
        from += 16;
        to += PANEL << 4;
      }
    } else if (rows == PANEL && ns == 4) {
      for (; k < K; k++) {
        v128.store(to, v128.load(from));
        if (PANEL == 6) store<u64>(to, load<u64>(from, 16), 16);
        from += ks;
        to += PANEL << 2;
      }
    }
    for (; k < K; k++) {
      let p = from;
      for (let i = 0; i < PANEL; i++) {
        store<f32>(to, i < rows ? load<f32>(p) : 0);
        p += ns;
        to += 4;
      }
      from += ks;
    }
  }
}

/** Four columns of a panel whose rows are contiguous. */
function packFour(from: usize, ns: usize, to: usize): void {
  transposeFour(from, from + ns, from + 2 * ns, from + 3 * ns, to, PANEL << 2);
  if (PANEL == 6) {
    const a = v128.load(from + 4 * ns), b = v128.load(from + 5 * ns);
    const low = v128.shuffle<f32>(a, b, 0, 4, 1, 5), high = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
    v128.store64_lane(to, low, 0, 16);
    v128.store64_lane(to, low, 1, 40);
    v128.store64_lane(to, high, 0, 64);
    v128.store64_lane(to, high, 1, 88);
  }
}

/** Four rows of four neighbours become four columns, `step` bytes from one to the next. */
// @ts-ignore: decorator
@inline function transposeFour(p: usize, q: usize, r: usize, s: usize, to: usize, step: usize): void {
  const a = v128.load(p), b = v128.load(q), c = v128.load(r), d = v128.load(s);
  const ab = v128.shuffle<f32>(a, b, 0, 4, 1, 5), AB = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
  const cd = v128.shuffle<f32>(c, d, 0, 4, 1, 5), CD = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<f32>(ab, cd, 0, 1, 4, 5));
  v128.store(to + step, v128.shuffle<f32>(ab, cd, 2, 3, 6, 7));
  v128.store(to + 2 * step, v128.shuffle<f32>(AB, CD, 0, 1, 4, 5));
  v128.store(to + 3 * step, v128.shuffle<f32>(AB, CD, 2, 3, 6, 7));
}

/**
 * y[N, 4·V tokens] = W·x + bias (+ residual), features × tokens. Rows of x and y lie `xld` and `yld` bytes apart.
 *
 * Tokens are taken in strips of 8, strips outside, weights inside. With `strip` (128·K bytes) up to four strips of x are
 * first brought together, each `[K][8]`: −21 % time for iTransformer at batch 3, −7 % at batch 32, nothing at K = 128.
 * Four at a time, because rows may be pages apart: each is then visited once for two cache lines, not for half of one.
 */
export function dense(
  V: i32, N: i32, K: i32, x: usize, xld: usize, w: usize, bias: usize, y: usize, yld: usize, residual: usize, strip: usize,
): void {
  if (!strip || xld <= 32) {
    for (let v = 0; v < V; v += 2) {
      const at = <usize>v << 4;
      denseStrip(v + 1 < V, N, K, x + at, xld, w, bias, y + at, yld, residual ? residual + at : 0);
    }
    return;
  }
  const stripBytes = <usize>K << 5;
  for (let first = 0; first < V; first += 8) {
    const last = min(first + 8, V);
    let from = x + (<usize>first << 4), to = strip;
    for (let k = 0; k < K; k++) {
      let p = from, q = to, v = first;
      for (; v + 2 <= last; v += 2) {
        v128.store(q, v128.load(p));
        v128.store(q, v128.load(p, 16), 16);
        p += 32;
        q += stripBytes;
      }
      if (v < last) v128.store(q - (<usize>k << 4), v128.load(p));
      from += xld;
      to += 32;
    }
    to = strip;
    for (let v = first; v < last; v += 2) {
      const at = <usize>v << 4, wide = v + 1 < last;
      denseStrip(wide, N, K, to, wide ? 32 : 16, w, bias, y + at, yld, residual ? residual + at : 0);
      to += stripBytes;
    }
  }
}

/** All weights against 8 tokens, or 4. */
function denseStrip(
  wide: bool, N: i32, K: i32, x: usize, xld: usize, w: usize, bias: usize, y: usize, yld: usize, residual: usize,
): void {
  const panelBytes = <usize>K * (PANEL << 2);
  let n = 0;
  if (!wide) {
    for (; n + 2 * PANEL <= N; n += 2 * PANEL) {
      panels_1(K, x, xld, w, w + panelBytes, bias, y, yld, residual);
      w += 2 * panelBytes;
      y += 2 * PANEL * yld;
      if (bias) bias += 8 * PANEL;
      if (residual) residual += 2 * PANEL * yld;
    }
  }
  for (; n < N; n += PANEL) {
    const rows = min(PANEL, N - n);
    if (wide) panel_2(rows, 8, K, x, xld, w, PANEL << 2, bias, y, yld, residual);
    else panel_1(rows, 4, K, x, xld, w, PANEL << 2, bias, y, yld, residual);
    w += panelBytes;
    y += PANEL * yld;
    if (bias) bias += 4 * PANEL;
    if (residual) residual += PANEL * yld;
  }
}

/**
 * The same for one token, whose sums come out alike to the last digit: neighbouring outputs, not tokens, are multiplied
 * together, three panels at a time, so that no sum waits for the one before.
 */
export function denseToken(
  N: i32, K: i32, x: usize, xld: usize, w: usize, bias: usize, y: usize, yld: usize, residual: usize,
): void {
  const bytes = <usize>K * (PANEL << 2);
  for (let n = 0; n < N; n += 3 * PANEL) {
    // Panels that are not there are the first one, computed again.
    const two: usize = n + PANEL < N ? 1 : 0, three: usize = n + 2 * PANEL < N ? 2 : 0;
    let a = zero(), b = zero(), c = zero(), A = zero(), B = zero(), C = zero();
    if (bias) {
      const first = bias + (<usize>n << 2), second = first + two * (PANEL << 2), third = first + three * (PANEL << 2);
      a = v128.load(first);
      b = v128.load(second);
      c = v128.load(third);
      if (PANEL == 6) {
        A = v128.load64_zero(first, 16);
        B = v128.load64_zero(second, 16);
        C = v128.load64_zero(third, 16);
      }
    }
    let p = x, first = w, second = w + two * bytes, third = w + three * bytes;
    for (let k = 0; k < K; k++) {
      const s = v128.load_splat<f32>(p);
      a = madd(s, v128.load(first), a);
      b = madd(s, v128.load(second), b);
      c = madd(s, v128.load(third), c);
      if (PANEL == 6) {
        A = madd(s, v128.load64_zero(first, 16), A);
        B = madd(s, v128.load64_zero(second, 16), B);
        C = madd(s, v128.load64_zero(third, 16), C);
      }
      p += xld;
      first += PANEL << 2;
      second += PANEL << 2;
      third += PANEL << 2;
    }
    const step = PANEL * yld, left = N - n;
    storeToken(left, a, A, y, yld, residual);
    storeToken(left - PANEL, b, B, y + step, yld, residual ? residual + step : 0);
    storeToken(left - 2 * PANEL, c, C, y + 2 * step, yld, residual ? residual + 2 * step : 0);
    w += 3 * bytes;
    y += 3 * step;
    if (residual) residual += 3 * step;
  }
}

/** A panel's outputs for one token, one below the other; as many as there are. */
function storeToken(left: i32, a: v128, b: v128, y: usize, yld: usize, residual: usize): void {
  const rows = min(PANEL, left);
  for (let i = 0; i < rows; i++) {
    if (PANEL == 6 && i == 4) a = b;
    let value = f32x4.extract_lane(a, 0);
    if (residual) {
      value += load<f32>(residual);
      residual += yld;
    }
    store<f32>(y, value);
    y += yld;
    a = v128.shuffle<f32>(a, a, 1, 2, 3, 0);
  }
}

/** Columns n … n + 8 of B[k, n] together: `[K][8]`, and up to three rows of what lies behind. */
function packStrip(K: i32, columns: i32, b: usize, ks: usize, ns: usize, to: usize): void {
  if (ns == 4) {
    for (let k = 0; k < K; k++) {
      v128.store(to, v128.load(b));
      v128.store(to, v128.load(b, 16), 16);
      b += ks;
      to += 32;
    }
  } else if (ks == 4) {
    for (let half = 0; half < columns; half += 4) {
      // Columns that are not there are the last one that is.
      const last = columns - half - 1;
      const p = b + <usize>half * ns, q = p + (last > 0 ? ns : 0), r = q + (last > 1 ? ns : 0), s = r + (last > 2 ? ns : 0);
      const out = to + (<usize>half << 2);
      for (let k: usize = 0; k < <usize>K; k += 4) {
        const at = k << 2;
        transposeFour(p + at, q + at, r + at, s + at, out + (k << 5), 32);
      }
    }
  } else {
    for (let n = 0; n < columns; n++) {
      let p = b, q = to;
      for (let k = 0; k < K; k++) {
        store<f32>(q, load<f32>(p));
        p += ks;
        q += 32;
      }
      b += ns;
      to += 4;
    }
  }
}

/**
 * C[m, n] = Σₖ A[m, k]·B[k, n] for every position of up to three batch axes. Neighbouring columns of C lie together;
 * everything else has strides. `shape`: M, N, K, strides of A (m, k), B (k, n), C (m), then three times { extent,
 * strides of A, B, C }, outermost first; all in bytes. `panels` (as packPanels needs) or 0: A is read where it is, which
 * pays where it meets few columns; `strip`: 32·(K + 3) bytes.
 */
export function product(shape: usize, a: usize, b: usize, c: usize, panels: usize, strip: usize): void {
  const extent0 = load<i32>(shape, 32), extent1 = load<i32>(shape, 48), extent2 = load<i32>(shape, 64);
  for (let i = 0; i < extent0; i++) {
    for (let j = 0; j < extent1; j++) {
      for (let l = 0; l < extent2; l++) {
        oneProduct(
          shape,
          a + i * load<i32>(shape, 36) + j * load<i32>(shape, 52) + l * load<i32>(shape, 68),
          b + i * load<i32>(shape, 40) + j * load<i32>(shape, 56) + l * load<i32>(shape, 72),
          c + i * load<i32>(shape, 44) + j * load<i32>(shape, 60) + l * load<i32>(shape, 76),
          panels,
          strip,
        );
      }
    }
  }
}

function oneProduct(shape: usize, a: usize, b: usize, c: usize, panels: usize, strip: usize): void {
  const M = load<i32>(shape), N = load<i32>(shape, 4), K = load<i32>(shape, 8);
  const ams = load<usize>(shape, 12), aks = load<usize>(shape, 16);
  const bks = load<usize>(shape, 20), bns = load<usize>(shape, 24), cms = load<usize>(shape, 28);
  const panelBytes = <usize>K * (PANEL << 2);
  if (panels) packPanels(M, K, a, ams, aks, panels);
  const one = f32x4.splat(1);
  for (let n = 0; n < N; n += 8) {
    const columns = min(8, N - n);
    let x = b + n * bns, ld = bks;
    if (bns != 4 || (M > 16 && bks != 32)) {
      packStrip(K, columns, x, bks, bns, strip);
      x = strip;
      ld = 32;
    }
    let to = c + (<usize>n << 2);
    if (panels || ams == 4) {
      for (let m = 0; m < M; m += PANEL) {
        const rows = min(PANEL, M - m);
        const w = panels ? panels + (m / PANEL) * panelBytes : a + (<usize>m << 2);
        const step = panels ? <usize>(PANEL << 2) : aks;
        if (columns > 4) panel_2(rows, columns, K, x, ld, w, step, 0, to, cms, 0);
        else panel_1(rows, columns, K, x, ld, w, step, 0, to, cms, 0);
        to += PANEL * cms;
      }
    } else {
      const tile = columns > 4 ? 4 : 8;
      for (let m = 0; m < M; m += tile) {
        const rows = min(tile, M - m);
        if (columns > 4) strided_2(rows, columns, K, x, ld, a + m * ams, ams, aks, to, cms, one, one);
        else strided_1(rows, columns, K, x, ld, a + m * ams, ams, aks, to, cms, one);
        to += tile * cms;
      }
    }
  }
}
