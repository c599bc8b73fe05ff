/** Moving elements: transposing copies, gathering by index, and the sums that undo a repetition. */
import { storeLanes, sumLanes, zero } from "./simd";

const AXIS: usize = 20;

export function fill(to: usize, bytes: usize): void {
  memory.fill(to, 0, bytes);
}

/**
 * A copy whose last two axes change places: in the last one y is contiguous, in the one before it x is. `dims` as in
 * elementwise.ts. Blocks of 4 × 4 pass through registers.
 */
export function transposed(dims: usize, y: usize, x: usize): void {
  transposedAxis(load<i32>(dims), dims + 4, y, x);
}

function transposedAxis(rank: i32, dims: usize, y: usize, x: usize): void {
  const rows = load<i32>(dims), ys = load<usize>(dims, 4), xs = load<usize>(dims, 8);
  if (rank > 2) {
    for (let i = 0; i < rows; i++) {
      transposedAxis(rank - 1, dims + AXIS, y, x);
      y += ys;
      x += xs;
    }
    return;
  }
  const columns = load<i32>(dims, AXIS), cs = load<usize>(dims, AXIS + 8);
  let c = 0;
  for (; c + 4 <= columns; c += 4) {
    let from = x + c * cs, to = y + (<usize>c << 2), r = 0;
    for (; r + 4 <= rows; r += 4) {
      const a = v128.load(from), b = v128.load(from + cs), d = v128.load(from + 2 * cs), e = v128.load(from + 3 * cs);
      const ab = v128.shuffle<f32>(a, b, 0, 4, 1, 5), AB = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
      const de = v128.shuffle<f32>(d, e, 0, 4, 1, 5), DE = v128.shuffle<f32>(d, e, 2, 6, 3, 7);
      v128.store(to, v128.shuffle<f32>(ab, de, 0, 1, 4, 5));
      v128.store(to + ys, v128.shuffle<f32>(ab, de, 2, 3, 6, 7));
      v128.store(to + 2 * ys, v128.shuffle<f32>(AB, DE, 0, 1, 4, 5));
      v128.store(to + 3 * ys, v128.shuffle<f32>(AB, DE, 2, 3, 6, 7));
      from += 16;
      to += 4 * ys;
    }
    for (; r < rows; r++) {
      store<f32>(to, load<f32>(from));
      store<f32>(to, load<f32>(from + cs), 4);
      store<f32>(to, load<f32>(from + 2 * cs), 8);
      store<f32>(to, load<f32>(from + 3 * cs), 12);
      from += 4;
      to += ys;
    }
  }
  for (; c < columns; c++) {
    let from = x + c * cs, to = y + (<usize>c << 2);
    for (let r = 0; r < rows; r++) {
      store<f32>(to, load<f32>(from));
      from += 4;
      to += ys;
    }
  }
}

/**
 * y = x at indices (TAKE); or x += y (ADD), or x = y (PUT) at indices: y is read then. Axes of the indices have stride 0
 * in x; `step` bytes lie between two positions of the axis that is indexed. An index outside `extent` traps.
 */
export function gather(dims: usize, y: usize, x: usize, indices: usize, step: usize, extent: u32, what: i32): void {
  gatherAxis(load<i32>(dims), dims + 4, y, x, indices, step, extent, what);
}

const TAKE = 0, ADD = 1;

function gatherAxis(rank: i32, dims: usize, y: usize, x: usize, indices: usize, step: usize, extent: u32, what: i32): void {
  const n = load<i32>(dims), ys = load<usize>(dims, 4), xs = load<usize>(dims, 8), is = load<usize>(dims, 12);
  if (rank > 1) {
    for (let i = 0; i < n; i++) {
      gatherAxis(rank - 1, dims + AXIS, y, x, indices, step, extent, what);
      y += ys;
      x += xs;
      indices += is;
    }
    return;
  }
  if (is == 0 && ys == 4 && xs == 4) {
    // One index for neighbours.
    const index = load<u32>(indices);
    if (index >= extent) unreachable();
    const at = x + <usize>index * step;
    if (what == TAKE) memory.copy(y, at, <usize>n << 2);
    else if (what == ADD) addRow(n, at, y);
    else memory.copy(at, y, <usize>n << 2);
    return;
  }
  for (let i = 0; i < n; i++) {
    const index = load<u32>(indices);
    if (index >= extent) unreachable();
    const at = x + <usize>index * step;
    if (what == TAKE) store<u32>(y, load<u32>(at));
    else if (what == ADD) store<f32>(at, load<f32>(at) + load<f32>(y));
    else store<u32>(at, load<u32>(y));
    y += ys;
    x += xs;
    indices += is;
  }
}

/** y += x, where y's strides are 0 along the axes that are summed. y starts at zero. */
export function reduce(dims: usize, y: usize, x: usize): void {
  reduceAxis(load<i32>(dims), dims + 4, y, x);
}

function reduceAxis(rank: i32, dims: usize, y: usize, x: usize): void {
  let rows = load<i32>(dims), ys = load<usize>(dims, 4), xs = load<usize>(dims, 8);
  if (rank > 2) {
    for (; rows > 0; rows--) {
      reduceAxis(rank - 1, dims + AXIS, y, x);
      y += ys;
      x += xs;
    }
    return;
  }
  if (rank == 2) dims += AXIS;
  else rows = 1;
  let n = load<i32>(dims);
  const yc = load<usize>(dims, 4), xc = load<usize>(dims, 8);
  if (ys == 0 && yc == 4 && xc == 4 && n < 64) {
    // Short rows into one: read again what was just stored in pieces, each would wait for the one before.
    for (; n > 0; n -= 4) {
      let sum = v128.load(y), from = x;
      for (let i = 0; i < rows; i++) {
        sum = f32x4.add(sum, v128.load(from));
        from += xs;
      }
      storeLanes(y, sum, n);
      y += 16;
      x += 16;
    }
    return;
  }
  for (; rows > 0; rows--) {
    if (yc == 0 && xc == 4) {
      store<f32>(y, load<f32>(y) + sumRow(n, x));
    } else if (yc == 4 && xc == 4) {
      addRow(n, y, x);
    } else {
      let to = y, from = x;
      for (let i = 0; i < n; i++) {
        store<f32>(to, load<f32>(to) + load<f32>(from));
        to += yc;
        from += xc;
      }
    }
    y += ys;
    x += xs;
  }
}

/** y += x, n neighbours of both. */
// @ts-ignore: decorator
@inline function addRow(n: i32, y: usize, x: usize): void {
  for (; n >= 4; n -= 4) {
    v128.store(y, f32x4.add(v128.load(y), v128.load(x)));
    y += 16;
    x += 16;
  }
  if (n > 0) storeLanes(y, f32x4.add(v128.load(y), v128.load(x)), n);
}

/** Sums blocks of 512 before it adds them up, so that rounding grows slowly. */
function sumRow(n: i32, x: usize): f32 {
  let total: f32 = 0;
  while (n >= 16) {
    const block = min(n, 512) & ~15;
    const end = x + (<usize>block << 2);
    let a = zero(), b = zero(), c = zero(), d = zero();
    for (; x < end; x += 64) {
      a = f32x4.add(a, v128.load(x));
      b = f32x4.add(b, v128.load(x, 16));
      c = f32x4.add(c, v128.load(x, 32));
      d = f32x4.add(d, v128.load(x, 48));
    }
    total += sumLanes(f32x4.add(f32x4.add(a, b), f32x4.add(c, d)));
    n -= block;
  }
  for (; n > 0; n--) {
    total += load<f32>(x);
    x += 4;
  }
  return total;
}
