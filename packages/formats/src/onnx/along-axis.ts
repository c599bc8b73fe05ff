import type { CumSumAttributes, DftAttributes, PadAttributes, PoolAttributes } from "@espalier/core/graph";
import { aroundAxis, dftLayout } from "../layouts.ts";
import { type NodeCall, type Rule, reshaped, transposed } from "./node-call.ts";
import { int, ints, text } from "./proto.ts";

/** Operators that run along one axis: sums, windows, transforms, padding. */

export function cumSum({ writer, inputs, attributes, emit }: NodeCall<CumSumAttributes>): void {
  const { axis, exclusive, reverse } = attributes;
  emit("CumSum", [inputs[0]!, writer.integer(axis)], {
    exclusive: int(exclusive ? 1 : 0),
    reverse: int(reverse ? 1 : 0),
  });
}

/** Writes a window over the rows of images with one channel, [before, 1, axis, after], so that no axis has to move. */
export function pool(opType: "AveragePool" | "MaxPool"): Rule<PoolAttributes> {
  return (call) => {
    const { writer, name, inputs, shapes, outputShapes, attributes, emit } = call;
    const { axis, kernel, stride, before, after } = attributes;
    if (opType === "MaxPool" && kernel === shapes[0]![axis] && before + after === 0) {
      largest(call, axis);
      return;
    }
    const [outer, extent, inner] = aroundAxis(shapes[0]!, axis);
    const images = reshaped(call, inputs[0]!, [outer, 1, extent, inner]);
    const pooled = writer.node(`${name}/${opType}`, opType, [images], {
      kernel_shape: ints([kernel, 1]),
      strides: ints([stride, 1]),
      pads: ints([before, 0, after, 0]),
      ...(opType === "AveragePool" ? { count_include_pad: int(0) } : {}),
    });
    emit("Reshape", [pooled, writer.openShape(outputShapes[0]!)]);
  };
}

/** The largest number along a whole axis. MaxPool would not do: in ONNX Runtime, the largest of −∞ is a finite number. */
function largest({ writer, inputs, opset, emit }: NodeCall<PoolAttributes>, axis: number): void {
  if (opset < 18) emit("ReduceMax", inputs, { axes: ints([axis]), keepdims: int(1) });
  else emit("ReduceMax", [...inputs, writer.integers([axis])], { keepdims: int(1) });
}

/**
 * A product with the matrix of the transform. ONNX's DFT changed its signature with opset 20, and only its latest
 * edition returns the real signal of a one-sided spectrum; the product is the same in every opset and runtime.
 */
export function dft(call: NodeCall<DftAttributes>): void {
  const { writer, name, inputs, shapes, outputShapes, attributes, emit } = call;
  const layout = dftLayout(shapes[0]!, outputShapes[0]!, attributes);
  const rows = reshaped(call, transposed(call, inputs[0]!, layout.perm), layout.rows);
  const matrix = writer.constant(layout.matrixName, layout.matrix);
  const product = writer.node(`${name}/MatMul`, "MatMul", [rows, matrix]);
  const spread = reshaped(call, product, layout.spread);
  emit("Transpose", [spread], { perm: ints(layout.back) });
}

export function pad({ writer, name, inputs, shapes, attributes, emit }: NodeCall<PadAttributes>): void {
  const { axis, before, after, mode } = attributes;
  const [x] = inputs;
  if (mode !== "wrap") {
    const pads = [before, after].flatMap((count) => shapes[0]!.map((_, i) => (i === axis ? count : 0)));
    emit("Pad", [x!, writer.integers(pads)], mode === "edge" ? { mode: text("edge") } : {});
    return;
  }
  // Pad has this mode only since opset 19.
  const extent = shapes[0]![axis] as number;
  const cut = (start: number, end: number) =>
    writer.node(`${name}/Slice`, "Slice", [x!, ...[[start], [end], [axis]].map((n) => writer.integers(n))]);
  const parts = [
    ...(before > 0 ? [cut(extent - before, extent)] : []),
    x!,
    ...(after > 0 ? [cut(0, after)] : []),
  ];
  emit("Concat", parts, { axis: int(axis) });
}
