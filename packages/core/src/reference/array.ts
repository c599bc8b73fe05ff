import { countElements } from "../graph/extent.ts";

/** A dense array in double precision, row-major, on which operators are defined. Integers are stored unchanged. */
export interface NdArray {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** Creates an array with a shape and a copy of data, or zeros. */
export function ndarray(shape: readonly number[], data?: ArrayLike<number>): NdArray {
  const size = countElements(shape);
  return { shape, data: data === undefined ? new Float64Array(size) : Float64Array.from(data) };
}

/** Row-major strides, in elements. */
export function strides(shape: readonly number[]): number[] {
  const result = new Array<number>(shape.length);
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    result[axis] = step;
    step *= shape[axis]!;
  }
  return result;
}

/** Strides that read an array as if it were broadcast to `shape`: 0 along repeated axes. */
export function broadcastStrides(from: readonly number[], shape: readonly number[]): number[] {
  const own = strides(from);
  const lead = shape.length - from.length;
  return shape.map((_, axis) => (axis < lead || from[axis - lead] === 1 ? 0 : own[axis - lead]!));
}

/** Calls `visit` with the offsets of each position of `shape` under each set of strides, in row-major order. */
export function walk(
  shape: readonly number[],
  strideSets: readonly (readonly number[])[],
  visit: (position: number, offsets: readonly number[]) => void,
): void {
  const total = countElements(shape);
  const index = new Array<number>(shape.length).fill(0);
  const offsets = new Array<number>(strideSets.length).fill(0);
  for (let position = 0; position < total; position++) {
    visit(position, offsets);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis]!++;
      for (let s = 0; s < offsets.length; s++) offsets[s]! += strideSets[s]![axis]!;
      if (index[axis]! < shape[axis]!) break;
      for (let s = 0; s < offsets.length; s++) offsets[s]! -= strideSets[s]![axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
}

/** Element by element with NumPy's broadcasting. */
export function zip(
  a: NdArray,
  b: NdArray,
  shape: readonly number[],
  f: (a: number, b: number) => number,
): NdArray {
  const out = ndarray(shape);
  walk(shape, [broadcastStrides(a.shape, shape), broadcastStrides(b.shape, shape)], (i, [ia, ib]) => {
    out.data[i] = f(a.data[ia!]!, b.data[ib!]!);
  });
  return out;
}

/** Applies a function to every element. */
export function map(x: NdArray, f: (x: number, index: number) => number): NdArray {
  return { shape: x.shape, data: x.data.map(f) };
}

/** Splits an array at an axis into `outer × extent × inner` elements. */
export function around(
  shape: readonly number[],
  axis: number,
): { outer: number; extent: number; inner: number } {
  return {
    outer: countElements(shape.slice(0, axis)),
    extent: shape[axis]!,
    inner: countElements(shape.slice(axis + 1)),
  };
}

/** Applies `f` to every run of numbers along an axis; `f` must return as many. */
export function mapLanes(x: NdArray, axis: number, f: (lane: Float64Array) => ArrayLike<number>): NdArray {
  const out = ndarray(x.shape);
  const { outer, extent, inner } = around(x.shape, axis);
  const lane = new Float64Array(extent);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const start = o * extent * inner + i;
      for (let e = 0; e < extent; e++) lane[e] = x.data[start + e * inner]!;
      const result = f(lane);
      for (let e = 0; e < extent; e++) out.data[start + e * inner] = result[e]!;
    }
  }
  return out;
}
