import { countElements } from "@espalier/core/graph";
import type { Storage } from "../memory/storage.ts";

/** Elements of a storage under a shape: transposing, slicing, repeating and most reshaping change the view only. */
export interface View {
  readonly storage: Storage;
  /** In elements, as strides are. */
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** Row-major strides; 0 along axes of extent 1, so that equal layouts have equal strides. */
export function rowMajor(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(0);
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1) strides[axis] = step;
    step *= shape[axis]!;
  }
  return strides;
}

export function contiguous(storage: Storage, shape: readonly number[]): View {
  return { storage, offset: 0, shape, strides: rowMajor(shape) };
}

export function isContiguous({ shape, strides }: View): boolean {
  const expected = rowMajor(shape);
  return countElements(shape) <= 1 || strides.every((stride, axis) => stride === expected[axis]);
}

/** Whether a view is all of its storage, in order: what can be copied as it is. */
export function isWhole(view: View): boolean {
  return view.offset === 0 && isContiguous(view) && countElements(view.shape) === view.storage.elements;
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
    if (axis < lead || (view.shape[axis - lead] === 1 && extent !== 1)) return 0;
    return view.strides[axis - lead]!;
  });
  return { ...view, shape, strides };
}

export function sliceView(view: View, axis: number, start: number, end: number): View {
  const strides = end - start === 1 ? view.strides.with(axis, 0) : view.strides;
  const offset = view.offset + start * view.strides[axis]!;
  return { ...view, offset, strides, shape: view.shape.with(axis, end - start) };
}

/** The same elements in row-major order under another shape, where strides can say so. */
export function reshapeView(view: View, shape: readonly number[]): View | undefined {
  const strides = new Array<number>(shape.length).fill(0);
  if (countElements(shape) <= 1) return { ...view, shape, strides };
  const groups = groupAxes(view.shape, shape);
  for (const { from, to } of groups) {
    const several = from.filter((axis) => view.shape[axis] !== 1);
    for (const [i, axis] of several.slice(0, -1).entries()) {
      const next = several[i + 1]!;
      if (view.strides[axis] !== view.strides[next]! * view.shape[next]!) return undefined;
    }
    let step = several.length === 0 ? 0 : view.strides[several.at(-1)!]!;
    for (const axis of to.toReversed()) {
      if (shape[axis] !== 1) strides[axis] = step;
      step *= shape[axis]!;
    }
  }
  return { ...view, shape, strides };
}

/** Axes of two shapes that hold the same elements, in the smallest groups of neighbours that hold equally many. */
export interface AxisGroup {
  readonly from: readonly number[];
  readonly to: readonly number[];
}

export function groupAxes(from: readonly number[], to: readonly number[]): AxisGroup[] {
  const groups: AxisGroup[] = [];
  let [i, j] = [0, 0];
  while (i < from.length || j < to.length) {
    const group = { from: [] as number[], to: [] as number[] };
    let [left, right] = [1, 1];
    const takeFrom = () => {
      left *= from[i]!;
      group.from.push(i++);
    };
    const takeTo = () => {
      right *= to[j]!;
      group.to.push(j++);
    };
    if (i < from.length) takeFrom();
    if (j < to.length) takeTo();
    while (left !== right) {
      if ((left < right && i < from.length) || j >= to.length) takeFrom();
      else takeTo();
    }
    groups.push(group);
  }
  return groups;
}
