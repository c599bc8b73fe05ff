import { pointer } from "../compile/emitter.ts";
import { rowMajor, type View } from "../compile/view.ts";
import { ofFloats } from "./by-definition.ts";
import type { Emits } from "./kernel.ts";
import { alongside, outputBeside } from "./lanes.ts";

export const ranking: Emits = {
  TopK: ofFloats((e, { inputs, node, attributes }) => {
    const { axis, k } = attributes;
    const x = e.view(inputs[0]!);
    const outputs = node.outputs.map((id) => e.output(id, rowMajor(x.shape.length))) as [View, View];
    const [values, indices] = outputs;
    const dims = e.walk(values, [indices, x], x.shape.with(axis, 1));
    const pointers = [values, indices, x].map(pointer);
    const steps = [values, indices, x].map((view) => 4 * view.strides[axis]!);
    e.call("topK", dims, ...pointers, x.shape[axis]!, k, ...steps);
  }),
  CumSum: ofFloats((e, { inputs, node, attributes }) => {
    const { axis, exclusive, reverse } = attributes;
    const given = e.view(inputs[0]!);
    const y = outputBeside(e, node.outputs[0]!, axis, given);
    const x = alongside(e, given, y);
    const dims = e.walk(y, [x], y.shape.with(axis, 1));
    const extent = y.shape[axis]!;
    // From the end: begin there, and step backwards.
    const first = (view: View) =>
      pointer({ ...view, offset: view.offset + (reverse ? extent - 1 : 0) * view.strides[axis]! });
    const steps = [y, x].map((view) => (reverse ? -4 : 4) * view.strides[axis]!);
    e.call("cumulativeSum", dims, first(y), first(x), extent, ...steps, exclusive ? 1 : 0);
  }),
};
