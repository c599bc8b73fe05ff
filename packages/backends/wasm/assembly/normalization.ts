/** Layer normalisation over features × tokens, and batch normalisation over channels × everything else. */
import { keepLanes, madd, storeLanes, sumLanes, zero } from "./simd";

/**
 * Layer normalisation of D features for 4·V tokens. Mean first, then the variance around it: one pass with sums of
 * squares would lose digits where a feature stands out.
 */
export function layerNorm(V: i32, D: i32, x: usize, xld: usize, scale: usize, bias: usize, y: usize, yld: usize, epsilon: f32): void {
  const share = f32x4.splat(1 / <f32>D), eps = f32x4.splat(epsilon), one = f32x4.splat(1);
  let v = 0;
  for (; v + 2 <= V; v += 2) {
    let m0 = zero(), m1 = zero(), n0 = zero(), n1 = zero(), p = x, k = 0;
    for (; k + 2 <= D; k += 2) {
      m0 = f32x4.add(m0, v128.load(p));
      m1 = f32x4.add(m1, v128.load(p, 16));
      p += xld;
      n0 = f32x4.add(n0, v128.load(p));
      n1 = f32x4.add(n1, v128.load(p, 16));
      p += xld;
    }
    if (k < D) {
      m0 = f32x4.add(m0, v128.load(p));
      m1 = f32x4.add(m1, v128.load(p, 16));
    }
    m0 = f32x4.mul(f32x4.add(m0, n0), share);
    m1 = f32x4.mul(f32x4.add(m1, n1), share);
    let s0 = zero(), s1 = zero(), t0 = zero(), t1 = zero();
    p = x;
    for (k = 0; k + 2 <= D; k += 2) {
      const a = f32x4.sub(v128.load(p), m0), b = f32x4.sub(v128.load(p, 16), m1);
      p += xld;
      const c = f32x4.sub(v128.load(p), m0), d = f32x4.sub(v128.load(p, 16), m1);
      p += xld;
      s0 = madd(a, a, s0);
      s1 = madd(b, b, s1);
      t0 = madd(c, c, t0);
      t1 = madd(d, d, t1);
    }
    if (k < D) {
      const a = f32x4.sub(v128.load(p), m0), b = f32x4.sub(v128.load(p, 16), m1);
      s0 = madd(a, a, s0);
      s1 = madd(b, b, s1);
    }
    const r0 = f32x4.div(one, f32x4.sqrt(madd(f32x4.add(s0, t0), share, eps)));
    const r1 = f32x4.div(one, f32x4.sqrt(madd(f32x4.add(s1, t1), share, eps)));
    p = x;
    let to = y, g = scale, b = bias;
    for (k = 0; k < D; k++) {
      const factor = v128.load_splat<f32>(g), shift = v128.load_splat<f32>(b);
      v128.store(to, madd(f32x4.mul(f32x4.sub(v128.load(p), m0), r0), factor, shift));
      v128.store(to, madd(f32x4.mul(f32x4.sub(v128.load(p, 16), m1), r1), factor, shift), 16);
      p += xld;
      to += yld;
      g += 4;
      b += 4;
    }
    x += 32;
    y += 32;
  }
  if (v < V) layerNormOne(D, x, xld, scale, bias, y, yld, share, eps);
}

function layerNormOne(D: i32, x: usize, xld: usize, scale: usize, bias: usize, y: usize, yld: usize, share: v128, eps: v128): void {
  const mean = meanOf(D, x, xld, share);
  const inverse = inverseDeviation(D, x, xld, mean, share, eps);
  for (let k = 0; k < D; k++) {
    const normalized = f32x4.mul(f32x4.sub(v128.load(x), mean), inverse);
    v128.store(y, madd(normalized, v128.load_splat<f32>(scale), v128.load_splat<f32>(bias)));
    x += xld;
    y += yld;
    scale += 4;
    bias += 4;
  }
}

function meanOf(D: i32, x: usize, xld: usize, share: v128): v128 {
  let a = zero(), b = zero(), k = 0;
  for (; k + 2 <= D; k += 2) {
    a = f32x4.add(a, v128.load(x));
    b = f32x4.add(b, v128.load(x + xld));
    x += 2 * xld;
  }
  if (k < D) a = f32x4.add(a, v128.load(x));
  return f32x4.mul(f32x4.add(a, b), share);
}

function inverseDeviation(D: i32, x: usize, xld: usize, mean: v128, share: v128, eps: v128): v128 {
  let sum = zero();
  for (let k = 0; k < D; k++) {
    const a = f32x4.sub(v128.load(x), mean);
    sum = madd(a, a, sum);
    x += xld;
  }
  return f32x4.div(f32x4.splat(1), f32x4.sqrt(madd(sum, share, eps)));
}

/**
 * Gradient of layer normalisation for `tokens` tokens. `statistics`: for each vector of tokens its mean and inverse
 * deviation, 32 bytes, for layerNormSums. Two vectors at a time, for features are pages apart; of an odd one twice the same.
 */
export function layerNormGradient(
  tokens: i32, D: i32, x: usize, xld: usize, scale: usize, dy: usize, dyld: usize,
  dx: usize, dxld: usize, epsilon: f32, statistics: usize,
): void {
  const share = f32x4.splat(1 / <f32>D), eps = f32x4.splat(epsilon), one = f32x4.splat(1);
  for (let t = tokens; t > 0; t -= 8) {
    const next: usize = t > 4 ? 16 : 0;
    let m0 = zero(), m1 = zero(), p = x;
    for (let k = 0; k < D; k++) {
      m0 = f32x4.add(m0, v128.load(p));
      m1 = f32x4.add(m1, v128.load(p + next));
      p += xld;
    }
    m0 = f32x4.mul(m0, share);
    m1 = f32x4.mul(m1, share);
    // Squares and products with what is not yet divided by the deviation, in one pass.
    let v0 = zero(), v1 = zero(), sum0 = zero(), sum1 = zero(), dot0 = zero(), dot1 = zero();
    let d = dy, g = scale;
    p = x;
    for (let k = 0; k < D; k++) {
      const factor = v128.load_splat<f32>(g);
      const a = f32x4.sub(v128.load(p), m0), b = f32x4.sub(v128.load(p + next), m1);
      const da = f32x4.mul(v128.load(d), factor), db = f32x4.mul(v128.load(d + next), factor);
      v0 = madd(a, a, v0);
      v1 = madd(b, b, v1);
      sum0 = f32x4.add(sum0, da);
      sum1 = f32x4.add(sum1, db);
      dot0 = madd(da, a, dot0);
      dot1 = madd(db, b, dot1);
      p += xld;
      d += dyld;
      g += 4;
    }
    const r0 = f32x4.div(one, f32x4.sqrt(madd(v0, share, eps))), r1 = f32x4.div(one, f32x4.sqrt(madd(v1, share, eps)));
    v128.store(statistics, m0);
    v128.store(statistics, r0, 16);
    v128.store(statistics + 2 * next, m1);
    v128.store(statistics + 2 * next, r1, 16);
    sum0 = f32x4.mul(sum0, share);
    sum1 = f32x4.mul(sum1, share);
    dot0 = f32x4.mul(f32x4.mul(dot0, share), f32x4.mul(r0, r0));
    dot1 = f32x4.mul(f32x4.mul(dot1, share), f32x4.mul(r1, r1));
    let out = dx;
    p = x;
    d = dy;
    g = scale;
    for (let k = 0; k < D; k++) {
      const factor = v128.load_splat<f32>(g);
      const a = f32x4.sub(v128.load(p), m0), b = f32x4.sub(v128.load(p + next), m1);
      const da = f32x4.sub(f32x4.mul(v128.load(d), factor), sum0), db = f32x4.sub(f32x4.mul(v128.load(d + next), factor), sum1);
      v128.store(out, f32x4.mul(f32x4.sub(da, f32x4.mul(a, dot0)), r0));
      v128.store(out + next, f32x4.mul(f32x4.sub(db, f32x4.mul(b, dot1)), r1));
      p += xld;
      d += dyld;
      g += 4;
      out += dxld;
    }
    x += 32;
    dy += 32;
    dx += 32;
    statistics += 64;
  }
}

/** Gradients of the scale and the bias of layer normalisation, feature by feature. */
export function layerNormSums(
  tokens: i32, D: i32, x: usize, xld: usize, dy: usize, dyld: usize, statistics: usize, dscale: usize, dbias: usize,
): void {
  for (let k = 0; k < D; k++) {
    let scales = zero(), biases = zero(), p = x, d = dy, s = statistics, t = tokens;
    for (; t >= 4; t -= 4) {
      const given = v128.load(d);
      scales = madd(given, f32x4.mul(f32x4.sub(v128.load(p), v128.load(s)), v128.load(s, 16)), scales);
      biases = f32x4.add(given, biases);
      p += 16;
      d += 16;
      s += 32;
    }
    if (t > 0) {
      // A lane beyond the last token may hold anything, so it is taken out of both factors.
      const given = keepLanes(v128.load(d), t);
      const normalized = f32x4.mul(f32x4.sub(v128.load(p), v128.load(s)), v128.load(s, 16));
      scales = madd(given, keepLanes(normalized, t), scales);
      biases = f32x4.add(given, biases);
    }
    store<f32>(dscale, sumLanes(scales));
    store<f32>(dbias, sumLanes(biases));
    x += xld;
    dy += dyld;
    dscale += 4;
    dbias += 4;
  }
}

/** Known statistics as x·factor + shift. */
export function foldStatistics(C: i32, scale: usize, bias: usize, mean: usize, variance: usize, epsilon: f32, factor: usize, shift: usize): void {
  for (let c: usize = 0; c < <usize>C << 2; c += 4) {
    const f = load<f32>(scale + c) / Mathf.sqrt(load<f32>(variance + c) + epsilon);
    store<f32>(factor + c, f);
    store<f32>(shift + c, load<f32>(bias + c) - load<f32>(mean + c) * f);
  }
}

function rowMean(n: i32, x: usize): f32 {
  let sum: f64 = 0;
  for (let i = 0; i < n; i += 128) {
    const block = min(128, n - i);
    let part = zero();
    for (let j = 0; j < block; j += 4) {
      part = f32x4.add(part, keepLanes(v128.load(x), block - j));
      x += 16;
    }
    sum += <f64>sumLanes(part);
  }
  return <f32>(sum / <f64>n);
}

function rowVariance(n: i32, x: usize, mean: f32): f32 {
  const m = f32x4.splat(mean);
  let sum: f64 = 0;
  for (let i = 0; i < n; i += 128) {
    const block = min(128, n - i);
    let part = zero();
    for (let j = 0; j < block; j += 4) {
      const a = keepLanes(f32x4.sub(v128.load(x), m), block - j);
      part = madd(a, a, part);
      x += 16;
    }
    sum += <f64>sumLanes(part);
  }
  return <f32>(sum / <f64>n);
}

/** Batch statistics: C channels of n neighbours each, rows `xld` and `yld` apart; running statistics are blended in. */
export function batchNormTraining(
  C: i32, n: i32, x: usize, xld: usize, scale: usize, bias: usize, mean: usize, variance: usize,
  y: usize, yld: usize, newMean: usize, newVariance: usize, epsilon: f32, momentum: f32,
): void {
  const unbiased = <f32>n / <f32>max(1, n - 1);
  for (let c: usize = 0; c < <usize>C << 2; c += 4) {
    const m = rowMean(n, x), v = rowVariance(n, x, m);
    const f = load<f32>(scale + c) / Mathf.sqrt(v + epsilon);
    const factor = f32x4.splat(f), shift = v128.load_splat<f32>(bias + c), centre = f32x4.splat(m);
    for (let i = 0; i < n; i += 4) {
      const at = <usize>i << 2;
      storeLanes(y + at, madd(f32x4.sub(v128.load(x + at), centre), factor, shift), n - i);
    }
    store<f32>(newMean + c, (1 - momentum) * load<f32>(mean + c) + momentum * m);
    store<f32>(newVariance + c, (1 - momentum) * load<f32>(variance + c) + momentum * v * unbiased);
    x += xld;
    y += yld;
  }
}

export function batchNormGradient(
  C: i32, n: i32, x: usize, xld: usize, scale: usize, dy: usize, dyld: usize, dx: usize, dxld: usize,
  dscale: usize, dbias: usize, epsilon: f32,
): void {
  const share: f32 = <f32>1 / <f32>n;
  for (let c: usize = 0; c < <usize>C << 2; c += 4) {
    const m = rowMean(n, x);
    const inverse: f32 = <f32>1 / Mathf.sqrt(rowVariance(n, x, m) + epsilon);
    const centre = f32x4.splat(m), factor = f32x4.splat(inverse);
    let sums = zero(), dots = zero();
    for (let i = 0; i < n; i += 4) {
      const at = <usize>i << 2;
      const d = keepLanes(v128.load(dy + at), n - i);
      const normalized = keepLanes(f32x4.mul(f32x4.sub(v128.load(x + at), centre), factor), n - i);
      sums = f32x4.add(sums, d);
      dots = madd(d, normalized, dots);
    }
    const sum = sumLanes(sums), dot = sumLanes(dots);
    const meanSum = f32x4.splat(sum * share), meanDot = f32x4.splat(dot * share);
    const out = f32x4.splat(load<f32>(scale + c) * inverse);
    for (let i = 0; i < n; i += 4) {
      const at = <usize>i << 2;
      const normalized = f32x4.mul(f32x4.sub(v128.load(x + at), centre), factor);
      const centred = f32x4.sub(f32x4.sub(v128.load(dy + at), meanSum), f32x4.mul(normalized, meanDot));
      storeLanes(dx + at, f32x4.mul(centred, out), n - i);
    }
    store<f32>(dscale + c, dot);
    store<f32>(dbias + c, sum);
    x += xld;
    dy += dyld;
    dx += dxld;
  }
}
