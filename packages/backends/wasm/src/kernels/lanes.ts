import type { Emitter } from "../compile/emitter.ts";
import { type Layout, layoutOf, rowMajor, type View } from "../compile/view.ts";

/** A kernel that moves from neighbour to neighbour cannot use SIMD along that axis, so the axis is moved outwards. */
function beside(axis: number, layout: Layout, shape: readonly number[]): Layout {
  const inner = layout.order.findLast((one) => shape[one]! > 1);
  if (inner !== axis) return layout;
  return { order: [axis, ...layout.order.filter((one) => one !== axis)], run: shape.length };
}

/** Room for an output whose neighbours lie beside an axis. */
export function outputBeside(e: Emitter, value: number, axis: number, like: View): View {
  const shape = e.shape(value);
  const view = e.allocate(shape, beside(axis, e.wanted(value) ?? layoutOf(like), shape));
  e.set(value, view);
  return view;
}

/** x with y's neighbours side by side. */
export function alongside(e: Emitter, x: View, y: View): View {
  const inner = y.strides.findIndex((stride, axis) => stride === 1 && y.shape[axis]! > 1);
  if (inner < 0 || x.strides[inner] === 1) return x;
  const layout = layoutOf(y);
  return e.copy(x, layout.order.length === 0 ? rowMajor(x.shape.length) : layout);
}
