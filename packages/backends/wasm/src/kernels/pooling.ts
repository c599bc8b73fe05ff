import type { PoolAttributes } from "@espalier/core";
import { type Emitter, pointer } from "../compile/emitter.ts";
import { type Layout, layoutOf, rowMajor, type View } from "../compile/view.ts";
import { byDefinition } from "./by-definition.ts";
import type { Emit, Emits, NodeCall } from "./kernel.ts";
import { clear } from "./layout.ts";

/** Where the window moves from neighbour to neighbour kernels would have nothing to do at once: its axis goes outwards. */
function beside(axis: number, layout: Layout, shape: readonly number[]): Layout {
  const inner = layout.order.findLast((one) => shape[one]! > 1);
  if (inner !== axis) return layout;
  return { order: [axis, ...layout.order.filter((one) => one !== axis)], run: shape.length };
}

function outputBeside(e: Emitter, value: number, axis: number, like: View): View {
  const shape = e.shape(value);
  const view = e.allocate(shape, beside(axis, e.wanted(value) ?? layoutOf(like), shape));
  e.set(value, view);
  return view;
}

/** x with y's neighbours side by side. */
function alongside(e: Emitter, x: View, y: View): View {
  const inner = y.strides.findIndex((stride, axis) => stride === 1 && y.shape[axis]! > 1);
  if (inner < 0 || x.strides[inner] === 1) return x;
  const layout = layoutOf(y);
  return e.copy(x, layout.order.length === 0 ? rowMajor(x.shape.length) : layout);
}

const ofFloats =
  (emit: (e: Emitter, call: NodeCall, attributes: PoolAttributes) => void): Emit =>
  (e, call) => {
    const floats = call.inputs.every((value) => e.graph.values[value]!.dtype === "float32");
    if (floats) emit(e, call, call.attributes as PoolAttributes);
    else byDefinition(e, call);
  };

const pool = (largest: 0 | 1): Emit =>
  ofFloats((e, { inputs, node }, { axis, kernel, stride, before }) => {
    const given = e.view(inputs[0]!);
    const y = outputBeside(e, node.outputs[0]!, axis, given);
    const x = alongside(e, given, y);
    const dims = e.walk(y, [x], y.shape.with(axis, 1));
    const extents = [y.shape[axis]!, x.shape[axis]!] as const;
    const steps = [y, x].map((view) => 4 * view.strides[axis]!);
    e.call("pool", dims, pointer(y), pointer(x), ...extents, ...steps, kernel, stride, before, largest);
  });

export const pooling: Emits = {
  AveragePool: pool(0),
  MaxPool: pool(1),
  AveragePoolGradient: ofFloats((e, { inputs, node }, { axis, kernel, stride, before }) => {
    const given = e.view(inputs[0]!);
    const dx = outputBeside(e, node.outputs[0]!, axis, given);
    const dy = alongside(e, given, dx);
    const dims = e.walk(dx, [dy], dx.shape.with(axis, 1));
    const extents = [dy.shape[axis]!, dx.shape[axis]!] as const;
    const steps = [dx, dy].map((view) => 4 * view.strides[axis]!);
    const window = [kernel, stride, before] as const;
    e.call("averagePoolGradient", dims, pointer(dx), pointer(dy), ...extents, ...steps, ...window);
  }),
  MaxPoolGradient: ofFloats((e, { inputs, node }, { axis, kernel, stride, before }) => {
    const given = inputs.map((id) => e.view(id)) as [View, View];
    const dx = outputBeside(e, node.outputs[0]!, axis, given[1]);
    const [dy, x] = given.map((view) => alongside(e, view, dx)) as [View, View];
    clear(e, dx);
    const dims = e.walk(dx, [x, dy], dx.shape.with(axis, 1));
    const pointers = [dx, x, dy].map(pointer);
    const extents = [dy.shape[axis]!, x.shape[axis]!] as const;
    const steps = [dx, x, dy].map((view) => 4 * view.strides[axis]!);
    e.call("maxPoolGradient", dims, ...pointers, ...extents, ...steps, kernel, stride, before);
  }),
};
