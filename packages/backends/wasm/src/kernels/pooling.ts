import type { PoolAttributes } from "@espalier/core/graph";
import { type Emitter, pointer } from "../compile/emitter.ts";
import type { View } from "../compile/view.ts";
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

export const pooling: Emits = {
  AveragePool: pool(0),
  MaxPool: pool(1),
  AveragePoolGradient: ofWindows((e, { inputs, node }, { axis, kernel, stride, before }) => {
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
