/** Building and refreshing sparse weights, and the gradient that exists only where a weight does. */
import { keepLanes, madd, sumLanes, zero } from "./simd";

/**
 * For each block of `rows` rows of W[n, k] = w + n·ns + k·ks the number of columns that hold a nonzero in it; `counts`
 * int32. Gives the sum.
 */
export function countBlocks(N: i32, K: i32, w: usize, ns: usize, ks: usize, rows: i32, counts: usize): i32 {
  let total = 0;
  for (let n = 0; n < N; n += rows) {
    const inIt = min(rows, N - n);
    const from = w + n * ns;
    const count = ks == 4 ? countNeighbours(inIt, K, from, ns) : countStrided(inIt, K, from, ns, ks);
    store<i32>(counts, count);
    counts += 4;
    total += count;
  }
  return total;
}

/** Bits are taken without the sign: −0 is zero. */
function countNeighbours(inIt: i32, K: i32, w: usize, ns: usize): i32 {
  const nothing = i32x4.splat(0);
  let sums = nothing;
  for (let k = 0; k < K; k += 4) {
    let any = v128.load(w), p = w + ns;
    for (let i = 1; i < inIt; i++) {
      any = v128.or(any, v128.load(p));
      p += ns;
    }
    const found = i32x4.ne(i32x4.shl(any, 1), nothing);
    sums = i32x4.sub(sums, keepLanes(found, K - k));
    w += 16;
  }
  return i32x4.extract_lane(sums, 0) + i32x4.extract_lane(sums, 1) + i32x4.extract_lane(sums, 2) + i32x4.extract_lane(sums, 3);
}

function countStrided(inIt: i32, K: i32, w: usize, ns: usize, ks: usize): i32 {
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
 * for each of its `rows` values the byte offset within the weight (rows that do not exist repeat `missing`). Gives the
 * number of blocks.
 */
export function fillBlocks(
  inIt: i32, rows: i32, K: i32, pattern: usize, ns: usize, ks: usize, from: u32, xld: u32, missing: u32,
  offsets: usize, sources: usize,
): i32 {
  const start = offsets;
  for (let k = 0; k < K; k++) {
    let any: u32 = 0, q = pattern;
    for (let i = 0; i < inIt; i++) {
      any |= load<u32>(q) << 1;
      q += ns;
    }
    // Written either way, and written over where it is not wanted: no branch that nobody can foresee.
    store<u32>(offsets, k * xld);
    let source = from, to = sources;
    for (let i = 0; i < rows; i++) {
      store<u32>(to, i < inIt ? source : missing);
      source += <u32>ns;
      to += 4;
    }
    const found = <usize>i32(any != 0);
    offsets += found << 2;
    sources += (found * rows) << 2;
    pattern += ks;
    from += <u32>ks;
  }
  return <i32>((offsets - start) >> 2);
}

/** to[i] = the number `sources[i]` bytes behind `from`. */
export function gatherValues(n: i32, from: usize, sources: usize, to: usize): void {
  for (let i = 0; i < n; i++) {
    store<f32>(to, load<f32>(from + <usize>load<u32>(sources)));
    sources += 4;
    to += 4;
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
 * the product of a row of dy and a row of x over `tokens`. Rows of dy and x are equally far apart.
 */
export function maskedGradient(N: i32, rows: usize, offsets: usize, dy: usize, x: usize, tokens: i32, to: usize): void {
  for (let n = 0; n < N; n++) {
    const d = dy + <usize>load<u32>(rows, 4);
    const end = to + <usize>load<u32>(rows);
    const fours = to + (<usize>load<u32>(rows) & ~15);
    rows += 16;
    for (; to < fours; to += 16, offsets += 16) {
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
      v128.store(to, f32x4.add(v128.shuffle<f32>(ab, ce, 0, 1, 4, 5), v128.shuffle<f32>(ab, ce, 2, 3, 6, 7)));
    }
    for (; to < end; to += 4, offsets += 4) {
      const p = x + <usize>load<u32>(offsets);
      let a = zero(), t = tokens, at: usize = 0;
      for (; t >= 4; t -= 4) {
        a = madd(v128.load(d + at), v128.load(p + at), a);
        at += 16;
      }
      if (t > 0) a = f32x4.add(keepLanes(f32x4.mul(v128.load(d + at), v128.load(p + at)), t), a);
      store<f32>(to, sumLanes(a));
    }
  }
}
