import type { PoolAttributes } from "@espalier/core/graph";
import { type Emitter, pointer } from "../compile/emitter.ts";
import { layoutOf, place, type View } from "../compile/view.ts";
import { ofFloats } from "./by-definition.ts";
import type { Emit, Emits, NodeCall } from "./kernel.ts";
import { alongside, outputBeside } from "./lanes.ts";
import { clear } from "./layout.ts";

const ofWindows = <A extends PoolAttributes>(
  emit: (e: Emitter, call: NodeCall<A>, attributes: PoolAttributes) => void,
): Emit<A> => ofFloats((e, call) => emit(e, call, call.attributes));

const pool = (largest: 0 | 1): Emit<PoolAttributes> =>
  ofWindows((e, { inputs, node }, { axis, kernel, stride, before }) => {
    const given = e.view(inputs[0]!);
    const y = outputBeside(e, node.outputs[0]!, axis, given);
    const x = alongside(e, given, y);
    const dims = e.walk(y, [x], y.shape.with(axis, 1));
    const extents = [y.shape[axis]!, x.shape[axis]!] as const;
    const steps = [y, x].map((view) => 4 * view.strides[axis]!);
    e.call("pool", dims, pointer(y), pointer(x), ...extents, ...steps, kernel, stride, before, largest);
  });

/**
 * A moving average: windows are whole, each one position after the one before. Where positions are neighbours it runs along
 * them, so that nothing changes its place for it. Returns whether it was emitted.
 */
function emitAlong(
  e: Emitter,
  kernel: "averageRows" | "averageGradientRows",
  { inputs, node }: NodeCall<PoolAttributes>,
  { axis, kernel: window, stride, before }: PoolAttributes,
): boolean {
  const given = e.view(inputs[0]!);
  const shape = e.shape(node.outputs[0]!);
  const [few, many] = [given.shape[axis]!, shape[axis]!].sort((a, b) => a - b) as [number, number];
  const moves = stride === 1 && before === 0 && many === few + window - 1;
  const layout = e.wanted(node.outputs[0]!) ?? layoutOf(given);
  // Not by its place in the order: an axis of one position behind it may be padded.
  const along = place(shape, layout).strides[axis] === 1 && place(given.shape, layout).strides[axis] === 1;
  if (!moves || !along || (kernel === "averageGradientRows" && few < window)) return false;
  const y = e.allocate(shape, layout);
  e.set(node.outputs[0]!, y);
  const x = given.strides[axis] === 1 ? given : e.copy(given, layout);
  e.call(kernel, e.walk(y, [x], shape.with(axis, 1)), pointer(y), pointer(x), few, window);
  return true;
}

const averagePool = pool(0);

export const pooling: Emits = {
  AveragePool: ofFloats((e, call) => {
    if (!emitAlong(e, "averageRows", call, call.attributes)) averagePool(e, call);
  }),
  MaxPool: pool(1),
  AveragePoolGradient: ofWindows((e, call, attributes) => {
    if (emitAlong(e, "averageGradientRows", call, attributes)) return;
    const { inputs, node } = call;
    const { axis, kernel, stride, before } = attributes;
    const given = e.view(inputs[0]!);
    const dx = outputBeside(e, node.outputs[0]!, axis, given);
    const dy = alongside(e, given, dx);
    const dims = e.walk(dx, [dy], dx.shape.with(axis, 1));
    const extents = [dy.shape[axis]!, dx.shape[axis]!] as const;
    const steps = [dx, dy].map((view) => 4 * view.strides[axis]!);
    const window = [kernel, stride, before] as const;
    e.call("averagePoolGradient", dims, pointer(dx), pointer(dy), ...extents, ...steps, ...window);
  }),
  MaxPoolGradient: ofWindows((e, { inputs, node }, { axis, kernel, stride, before }) => {
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
