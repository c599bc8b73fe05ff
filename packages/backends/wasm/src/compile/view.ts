import { countElements } from "@espalier/core/inference";

/** Memory a plan uses. Addresses follow once everything that uses it is known. */
export interface Storage {
  readonly bytes: number;
  /** `arena`: a plan's own, for as long as it is used. `tensor`: the state's. */
  readonly kind: "arena" | "tensor";
  /** Tensor it is, for errors and packed copies. */
  readonly name?: string;
  address: number;
  /** Bytes from one thread's arena to the next one's, where each thread runs the plan on an arena of its own. */
  perThread?: number;
}

/** Numbers in memory with an order of their own: transposing, slicing and most reshaping change the view only. */
export interface View {
  readonly storage: Storage;
  /** In elements, as strides are. */
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  /** Rows may be written up to the next multiple of four elements: nothing else lies there. */
  readonly padded: boolean;
}

/**
 * How a new value lies in memory: its axes from outermost to innermost, and how many of the innermost form rows without
 * gaps. Rows begin at multiples of 4 elements.
 */
export interface Layout {
  readonly order: readonly number[];
  readonly run: number;
}

const upTo4 = (n: number) => Math.ceil(n / 4) * 4;

export const rowMajor = (rank: number): Layout => ({ order: axes(rank), run: rank });

/** Features × tokens: the last axis outermost, so that a feature's values for all tokens lie together. */
export const featureMajor = (rank: number): Layout => ({
  order: [rank - 1, ...axes(rank - 1)],
  run: rank - 1,
});

export function axes(rank: number): number[] {
  return Array.from({ length: rank }, (_, axis) => axis);
}

/** Strides, in elements, of a new value, and how many elements it takes. */
export function place(
  shape: readonly number[],
  { order, run }: Layout,
): { strides: number[]; elements: number } {
  const strides = new Array<number>(shape.length).fill(0);
  let step = 1;
  order.toReversed().forEach((axis, i) => {
    if (i === run) step = pitch(step);
    strides[axis] = step;
    step *= shape[axis]!;
  });
  return { strides, elements: Math.max(1, step) };
}

/** Row pitch: full vectors, and no multiple of 1 KiB, at which rows would fight for the same cache lines. */
export function pitch(elements: number): number {
  const whole = upTo4(elements);
  return whole % 256 === 0 ? whole + 16 : whole;
}

export function contiguous(storage: Storage, shape: readonly number[]): View {
  return { storage, offset: 0, shape, strides: place(shape, rowMajor(shape.length)).strides, padded: false };
}

export function transposeView(view: View, perm: readonly number[]): View {
  return {
    ...view,
    shape: perm.map((axis) => view.shape[axis]!),
    strides: perm.map((axis) => view.strides[axis]!),
  };
}

export function expandView(view: View, shape: readonly number[]): View {
  const lead = shape.length - view.shape.length;
  const strides = shape.map((extent, axis) => {
    if (axis < lead) return 0;
    return view.shape[axis - lead] === 1 && extent !== 1 ? 0 : view.strides[axis - lead]!;
  });
  return { ...view, shape, strides };
}

export function sliceView(view: View, axis: number, start: number, end: number): View {
  const offset = view.offset + start * view.strides[axis]!;
  return { ...view, offset, shape: view.shape.with(axis, end - start), padded: false };
}

/** The same elements in row-major order under another shape, where strides can say so. */
export function reshapeView(view: View, shape: readonly number[]): View | undefined {
  if (countElements(shape) === 0) return { ...view, shape, strides: shape.map(() => 0) };
  const from = view.shape.flatMap((extent, i) =>
    extent === 1 ? [] : [{ extent, stride: view.strides[i]! }],
  );
  const strides = new Array<number>(shape.length).fill(0);
  let [i, j] = [0, 0];
  while (i < from.length || j < shape.length) {
    // The smallest group of axes on both sides that holds equally many elements.
    let [left, right] = [from[i]?.extent ?? 1, shape[j] ?? 1];
    let [iEnd, jEnd] = [i + 1, j + 1];
    while (left !== right) {
      if (left < right) left *= from[iEnd++]!.extent;
      else right *= shape[jEnd++]!;
    }
    for (let k = i; k + 1 < Math.min(iEnd, from.length); k++) {
      if (from[k]!.stride !== from[k + 1]!.stride * from[k + 1]!.extent) return undefined;
    }
    let step = from[Math.min(iEnd, from.length) - 1]?.stride ?? 1;
    if (i >= from.length) step = 1;
    for (let k = Math.min(jEnd, shape.length) - 1; k >= j; k--) {
      strides[k] = step;
      step *= shape[k]!;
    }
    [i, j] = [iEnd, jEnd];
  }
  return { ...view, shape, strides };
}

/** The layout a value of this shape would have if it lay as the view does. */
export function layoutOf(view: View): Layout {
  const rank = view.shape.length;
  if (view.shape.some((extent, axis) => extent > 1 && view.strides[axis] === 0)) return rowMajor(rank);
  const single = axes(rank).filter((axis) => view.shape[axis] === 1);
  const several = axes(rank).filter((axis) => view.shape[axis] !== 1);
  const order = [...single, ...several.sort((a, b) => view.strides[b]! - view.strides[a]!)];
  let run = 0;
  let step = 1;
  for (const axis of order.toReversed()) {
    if (view.shape[axis] !== 1 && view.strides[axis] !== step) break;
    step *= view.shape[axis]!;
    run++;
  }
  return { order, run: run === 0 ? rank : run };
}

export function isContiguous(view: View): boolean {
  const { strides } = place(view.shape, rowMajor(view.shape.length));
  return view.shape.every((extent, axis) => extent === 1 || strides[axis] === view.strides[axis]);
}

/** A value as features × tokens: all axes but the last form one row of tokens. */
export interface Matrix {
  readonly view: View;
  readonly tokens: number;
  readonly features: number;
  /** Elements from one feature to the next. */
  readonly pitch: number;
}

export function asMatrix(view: View): Matrix | undefined {
  const features = view.shape.at(-1)!;
  let step = 1;
  for (let axis = view.shape.length - 2; axis >= 0; axis--) {
    const extent = view.shape[axis]!;
    if (extent === 1) continue;
    if (view.strides[axis] !== step) return undefined;
    step *= extent;
  }
  return { view, tokens: step, features, pitch: view.strides.at(-1)! };
}
