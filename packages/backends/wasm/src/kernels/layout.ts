import { type Emitter, pointer } from "../compile/emitter.ts";
import {
  axes,
  expandView,
  type Layout,
  layoutOf,
  reshapeView,
  rowMajor,
  sliceView,
  transposeView,
  type View,
} from "../compile/view.ts";
import { byDefinition } from "./by-definition.ts";
import type { Emits } from "./kernel.ts";

export const layout: Emits = {
  Transpose(e, { inputs, node, attributes }) {
    const { perm } = attributes;
    e.set(node.outputs[0]!, transposeView(e.view(inputs[0]!), perm));
  },
  Reshape(e, { inputs, node }) {
    e.set(node.outputs[0]!, reshaped(e, e.view(inputs[0]!), e.shape(node.outputs[0]!)));
  },
  Expand(e, { inputs, node }) {
    e.set(node.outputs[0]!, expandView(e.view(inputs[0]!), e.shape(node.outputs[0]!)));
  },
  Slice(e, { inputs, node, attributes }) {
    const { axis, start, end } = attributes;
    e.set(node.outputs[0]!, sliceView(e.view(inputs[0]!), axis, start, end));
  },
  Concat(e, { inputs, node, attributes }) {
    const { axis } = attributes;
    const parts = inputs.map((id) => e.view(id));
    const y = e.output(node.outputs[0]!, orderOf(parts[0]!));
    let start = 0;
    for (const part of parts) {
      const end = start + part.shape[axis]!;
      e.copyInto(sliceView(y, axis, start, end), part);
      start = end;
    }
  },
  Pad(e, { inputs, node, attributes }) {
    const { axis, before, after, mode } = attributes;
    const x = e.view(inputs[0]!);
    const extent = x.shape[axis]!;
    const y = e.output(node.outputs[0]!, orderOf(x));
    if (mode === "constant") clear(e, y);
    e.copyInto(sliceView(y, axis, before, before + extent), x);
    if (mode === "constant") return;
    /** Positions of x, or one of them repeated, into as many of y. */
    const put = (at: number, count: number, from: number) => {
      if (count === 0) return;
      const part = sliceView(x, axis, from, mode === "edge" ? from + 1 : from + count);
      const to = sliceView(y, axis, at, at + count);
      e.copyInto(to, expandView(part, to.shape));
    };
    put(0, before, mode === "edge" ? 0 : extent - before);
    put(before + extent, after, mode === "edge" ? extent - 1 : 0);
  },
  Gather(e, { inputs, node, attributes }) {
    const { axis } = attributes;
    const [x, indices] = inputs.map((id) => e.view(id)) as [View, View];
    const y = e.output(node.outputs[0]!);
    emitGather(e, y, x, indices, { axis, batchDims: 0, what: "take" });
  },
  GatherND(e, call) {
    const { inputs, node, attributes } = call;
    const [x, indices] = inputs.map((id) => e.view(id)) as [View, View];
    if (indices.shape.at(-1) !== 1) return byDefinition(e, call);
    const { batchDims } = attributes;
    const y = e.output(node.outputs[0]!);
    emitGather(e, y, x, withoutLast(indices), { axis: batchDims, batchDims, what: "take" });
  },
  ScatterND(e, call) {
    const { inputs, node, attributes } = call;
    const [x, indices, updates] = inputs.map((id) => e.view(id)) as [View, View, View];
    const { batchDims, reduction } = attributes;
    const floats = e.graph.values[inputs[0]!]!.dtype === "float32";
    if (indices.shape.at(-1) !== 1 || (reduction === "add" && !floats)) return byDefinition(e, call);
    const y = e.output(node.outputs[0]!, orderOf(x));
    e.copyInto(y, x);
    const what = reduction === "add" ? "add" : "put";
    emitGather(e, updates, y, withoutLast(indices), { axis: batchDims, batchDims, what });
  },
  GatherGradient(e, { inputs, node, attributes }) {
    const { axis } = attributes;
    const [dy, indices] = inputs.map((id) => e.view(id)) as [View, View];
    const dx = e.output(node.outputs[0]!);
    clear(e, dx);
    emitGather(e, dy, dx, indices, { axis, batchDims: 0, what: "add" });
  },
  ReduceSum(e, { inputs, node, attributes }) {
    const { axes: reduced, keepdims } = attributes;
    const x = e.view(inputs[0]!);
    const gone = new Set(reduced.map((axis) => (axis < 0 ? axis + x.shape.length : axis)));
    const left = axes(x.shape.length).filter((axis) => keepdims || !gone.has(axis));
    const { order } = layoutOf(x);
    const kept = order.flatMap((axis) => (left.includes(axis) ? [left.indexOf(axis)] : []));
    const y = e.output(node.outputs[0]!, { order: kept, run: kept.length });
    clear(e, y);
    const strides = x.shape.map((_, axis) => (gone.has(axis) ? 0 : y.strides[left.indexOf(axis)]!));
    // Rows of x decide the walk: they are what is read.
    const dims = e.walk(x, [{ strides }], x.shape);
    e.call("reduce", swapOperands(e, dims.bytes / 4), pointer(y), pointer(x));
  },
};

/** The walk was made along x; the kernel's first operand is y. */
function swapOperands(e: Emitter, at: number) {
  const rank = e.constants[at]!;
  for (let axis = 0; axis < rank; axis++) {
    const i = at + 1 + 5 * axis + 1;
    [e.constants[i], e.constants[i + 1]] = [e.constants[i + 1]!, e.constants[i]!];
  }
  return { storage: e.constantStorage, bytes: 4 * at };
}

export function reshaped(e: Emitter, view: View, shape: readonly number[]): View {
  return reshapeView(view, shape) ?? reshapeView(e.copy(view, rowMajor(view.shape.length)), shape)!;
}

export function clear(e: Emitter, view: View): void {
  e.call("fill", pointer(view), view.storage.bytes);
}

/** The order of a view's axes, rows without gaps. */
function orderOf(view: View): Layout {
  const { order, run } = layoutOf(view);
  return { order, run };
}

const withoutLast = (view: View): View => ({
  ...view,
  shape: view.shape.slice(0, -1),
  strides: view.strides.slice(0, -1),
});

/** Numbers of `gather`'s functions in assembly/layout.ts. */
const gathers = { take: 0, add: 1, put: 2 } as const;

interface Indexed {
  /** The axis of x that indices refer to. */
  readonly axis: number;
  /** Leading axes that x and the indices share. */
  readonly batchDims: number;
  readonly what: keyof typeof gathers;
}

/** y is x with the indices' axes, but for the first `batchDims`, in place of one; it is taken, or added or put there. */
function emitGather(e: Emitter, y: View, x: View, indices: View, { axis, batchDims, what }: Indexed): void {
  const own = indices.strides.slice(batchDims);
  const around = [...x.strides.slice(0, axis), ...own.map(() => 0), ...x.strides.slice(axis + 1)];
  const spread = y.shape.map((_, i) => {
    if (i < batchDims) return indices.strides[i]!;
    return i < axis || i >= axis + own.length ? 0 : own[i - axis]!;
  });
  const dims = e.walk(y, [{ strides: around }, { strides: spread }], y.shape);
  const step = 4 * x.strides[axis]!;
  const places = [pointer(y), pointer(x), pointer(indices)] as const;
  e.call("gather", dims, ...places, step, x.shape[axis]!, gathers[what]);
}
