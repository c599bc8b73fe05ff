/** Building and refreshing sparse weights, and the gradient that exists only where a weight does. */
import { keepLanes, madd, storeLanes, zero } from "./simd";

/**
 * For W[n, k] = w + n·ns + k·ks the number of columns that hold a nonzero in each row, in each pair of rows, and in each
 * four of them, one list after the other in `counts` (int32), all in one pass. −0 is zero: bits are taken without the sign.
 */
export function countBlocks(N: i32, K: i32, w: usize, ns: usize, ks: usize, counts: usize): void {
  let pairs = counts + (<usize>N << 2), quads = pairs + (<usize>((N + 1) >> 1) << 2);
  for (let n = 0; n < N; n += 4) {
    const left = N - n;
    if (left >= 4 && ks == 4) countNeighbours(K, w, ns, counts, pairs, quads);
    else if (left >= 4 && ns == 4) countColumns(K, w, ks, counts, pairs, quads);
    else countRows(min(4, left), K, w, ns, ks, counts, pairs, quads);
    w += 4 * ns;
    counts += 16;
    pairs += 8;
    quads += 4;
  }
}

// @ts-ignore: decorator
@inline function found(bits: v128): v128 {
  return i32x4.ne(i32x4.shl(bits, 1), i32x4.splat(0));
}

// @ts-ignore: decorator
@inline function sumIntegers(a: v128): i32 {
  const pairs = i32x4.add(a, v128.shuffle<i32>(a, a, 2, 3, 0, 1));
  return i32x4.extract_lane(pairs, 0) + i32x4.extract_lane(pairs, 1);
}

/** Four rows whose columns are neighbours. */
function countNeighbours(K: i32, w: usize, ns: usize, rows: usize, pairs: usize, quads: usize): void {
  let a = i32x4.splat(0), b = a, c = a, d = a, ab = a, cd = a, all = a;
  for (let k = 0; k < K; k += 4) {
    const x = keepLanes(v128.load(w), K - k), y = keepLanes(v128.load(w + ns), K - k);
    const z = keepLanes(v128.load(w + 2 * ns), K - k), u = keepLanes(v128.load(w + 3 * ns), K - k);
    const xy = v128.or(x, y), zu = v128.or(z, u);
    a = i32x4.sub(a, found(x));
    b = i32x4.sub(b, found(y));
    c = i32x4.sub(c, found(z));
    d = i32x4.sub(d, found(u));
    ab = i32x4.sub(ab, found(xy));
    cd = i32x4.sub(cd, found(zu));
    all = i32x4.sub(all, found(v128.or(xy, zu)));
    w += 16;
  }
  store<i32>(rows, sumIntegers(a));
  store<i32>(rows, sumIntegers(b), 4);
  store<i32>(rows, sumIntegers(c), 8);
  store<i32>(rows, sumIntegers(d), 12);
  store<i32>(pairs, sumIntegers(ab));
  store<i32>(pairs, sumIntegers(cd), 4);
  store<i32>(quads, sumIntegers(all));
}

/** Four rows that are neighbours. */
function countColumns(K: i32, w: usize, ks: usize, rows: usize, pairs: usize, quads: usize): void {
  let single = i32x4.splat(0), double = single, all = single;
  for (let k = 0; k < K; k++) {
    const x = v128.load(w), two = v128.or(x, v128.shuffle<i32>(x, x, 1, 0, 3, 2));
    single = i32x4.sub(single, found(x));
    double = i32x4.sub(double, found(two));
    all = i32x4.sub(all, found(v128.or(two, v128.shuffle<i32>(two, two, 2, 3, 0, 1))));
    w += ks;
  }
  v128.store(rows, single);
  store<i32>(pairs, i32x4.extract_lane(double, 0));
  store<i32>(pairs, i32x4.extract_lane(double, 2), 4);
  store<i32>(quads, i32x4.extract_lane(all, 0));
}

/** Up to four rows that lie anyhow. */
function countRows(inIt: i32, K: i32, w: usize, ns: usize, ks: usize, rows: usize, pairs: usize, quads: usize): void {
  for (let i = 0; i < inIt; i++) store<i32>(rows + (<usize>i << 2), countRow(1, K, w + i * ns, ns, ks));
  for (let i = 0; i < inIt; i += 2) store<i32>(pairs + (<usize>i << 1), countRow(min(2, inIt - i), K, w + i * ns, ns, ks));
  store<i32>(quads, countRow(inIt, K, w, ns, ks));
}

function countRow(inIt: i32, K: i32, w: usize, ns: usize, ks: usize): i32 {
  let count = 0;
  for (let k = 0; k < K; k++) {
    let any: u32 = 0, p = w;
    for (let i = 0; i < inIt; i++) {
      any |= load<u32>(p) << 1;
      p += ns;
    }
    count += i32(any != 0);
    w += ks;
  }
  return count;
}

/**
 * Writes one block row: for each column whose block has a nonzero in `pattern` the byte offset k·`xld` of its input, and
 * for each of its `rows` numbers the number itself, or with `sources` its byte offset within the weight, which begins with
 * `from`. Rows that do not exist have zeros, or the weight's first number.
 */
export function fillBlocks(
  inIt: i32, rows: i32, K: i32, pattern: usize, ns: usize, ks: usize, from: u32, xld: u32, sources: i32,
  offsets: usize, to: usize,
): void {
  const missing = sources ? from : 0;
  let at: u32 = 0;
  for (let k = 0; k < K; k++) {
    // Written either way, and written over where it is not wanted: no branch that nobody can foresee.
    store<u32>(offsets, at);
    let any: u32 = 0;
    if (rows == 1) {
      const bits = load<u32>(pattern);
      store<u32>(to, sources ? from : bits);
      any = bits << 1;
    } else {
      let q = pattern, p = to, source = from;
      for (let i = 0; i < rows; i++) {
        const bits = i < inIt ? load<u32>(q) : 0;
        store<u32>(p, i < inIt ? (sources ? source : bits) : missing);
        any |= bits << 1;
        q += ns;
        source += <u32>ns;
        p += 4;
      }
    }
    const kept = <usize>i32(any != 0);
    offsets += kept << 2;
    to += (kept * rows) << 2;
    pattern += ks;
    from += <u32>ks;
    at += xld;
  }
}

/** to[i] = the number `sources[i]` bytes behind `from`. */
export function gatherValues(n: i32, from: usize, sources: usize, to: usize): void {
  for (let i = 0; i < n; i++) {
    store<f32>(to, load<f32>(from + <usize>load<u32>(sources)));
    sources += 4;
    to += 4;
  }
}

/** The number `sources[i]` bytes behind `to` = from[i]. */
export function scatterValues(n: i32, from: usize, sources: usize, to: usize): void {
  for (let i = 0; i < n; i++) {
    store<f32>(to + <usize>load<u32>(sources), load<f32>(from));
    sources += 4;
    from += 4;
  }
}

/** Position of the first number that is NaN or infinite; −1 where there is none. */
export function firstNonFinite(n: i32, x: usize): i32 {
  const exponent = i32x4.splat(0x7f800000);
  for (let i = 0; i < n; i += 4) {
    const bits = v128.and(v128.load(x + (<usize>i << 2)), exponent);
    const bad = i32x4.bitmask(i32x4.eq(bits, exponent));
    if (bad) {
      const at = i + ctz(bad);
      if (at < n) return at;
    }
  }
  return -1;
}

/** Whether some weight is not zero where its mask is. */
export function opensMask(n: i32, w: usize, mask: usize): i32 {
  for (let i = 0; i < n; i++) {
    if (load<u32>(w) << 1 && !(load<u32>(mask) << 1)) return 1;
    w += 4;
    mask += 4;
  }
  return 0;
}

/**
 * dW where it is wanted: for each row of `rows` (as sparse products have them; one row each) and each of its `offsets`,
 * the product of a row of dy and a row of x over `tokens`. Rows of dy and x are equally far apart. Long ones are taken in
 * blocks, or x would come from memory anew for each weight.
 */
export function maskedGradient(N: i32, rows: usize, offsets: usize, dy: usize, x: usize, tokens: i32, to: usize): void {
  const block = tokens > 4 * BLOCK ? BLOCK : tokens;
  for (let t = 0; t < tokens; t += block) {
    const at = <usize>t << 2;
    gradientOf(N, rows, offsets, dy + at, x + at, min(block, tokens - t), to, t > 0);
  }
}

const BLOCK = 64;

/** The share of some tokens, added to what is there if there is `more`. */
function gradientOf(N: i32, rows: usize, offsets: usize, dy: usize, x: usize, tokens: i32, to: usize, more: bool): void {
  for (let n = 0; n < N; n++) {
    const d = dy + <usize>load<u32>(rows, 4);
    let count = load<i32>(rows) >> 2;
    rows += 16;
    while (count > 0) {
      // Behind a row's last one lie the next row's, or zeros: what they give is not stored.
      const x0 = x + <usize>load<u32>(offsets), x1 = x + <usize>load<u32>(offsets, 4);
      const x2 = x + <usize>load<u32>(offsets, 8), x3 = x + <usize>load<u32>(offsets, 12);
      let a = zero(), b = zero(), c = zero(), e = zero(), t = tokens, at: usize = 0;
      for (; t >= 4; t -= 4) {
        const s = v128.load(d + at);
        a = madd(s, v128.load(x0 + at), a);
        b = madd(s, v128.load(x1 + at), b);
        c = madd(s, v128.load(x2 + at), c);
        e = madd(s, v128.load(x3 + at), e);
        at += 16;
      }
      if (t > 0) {
        const s = v128.load(d + at);
        a = f32x4.add(keepLanes(f32x4.mul(s, v128.load(x0 + at)), t), a);
        b = f32x4.add(keepLanes(f32x4.mul(s, v128.load(x1 + at)), t), b);
        c = f32x4.add(keepLanes(f32x4.mul(s, v128.load(x2 + at)), t), c);
        e = f32x4.add(keepLanes(f32x4.mul(s, v128.load(x3 + at)), t), e);
      }
      const ab = f32x4.add(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(a, b, 2, 6, 3, 7));
      const ce = f32x4.add(v128.shuffle<f32>(c, e, 0, 4, 1, 5), v128.shuffle<f32>(c, e, 2, 6, 3, 7));
      let sums = f32x4.add(v128.shuffle<f32>(ab, ce, 0, 1, 4, 5), v128.shuffle<f32>(ab, ce, 2, 3, 6, 7));
      if (more) sums = f32x4.add(sums, v128.load(to));
      storeLanes(to, sums, count);
      const taken = <usize>min(4, count) << 2;
      to += taken;
      offsets += taken;
      count -= 4;
    }
  }
}
