import type { Builder, Value } from "../graph/builder.ts";
import { addExtents, type Extent, isBatch, normalizeAxis, printShape, sameExtent } from "../graph/extent.ts";
import { around, ndarray } from "../reference/array.ts";
import { checkAxis, defineOperator, type Operator, zeroForZero } from "./operator.ts";

export type SliceAttributes = { readonly axis: number; readonly start: number; readonly end: number };

/** Positions `start` to `end` (exclusive) along one axis, counted from its beginning. ONNX `Slice` with step 1. */
export const sliceOperator: Operator<SliceAttributes> = defineOperator<SliceAttributes>({
  name: "Slice",
  arity: 1,
  rearranges: "some",
  simplify: zeroForZero,
  resize: ({ axis, start, end }, { position }) => ({
    axis,
    start: position(0, axis, start),
    end: position(0, axis, end),
  }),
  infer([x], { axis, start, end }) {
    checkAxis(axis, x!.shape.length);
    const extent = x!.shape[axis]!;
    if (isBatch(extent)) throw new RangeError("the batch axis cannot be sliced");
    if (!(Number.isInteger(start) && Number.isInteger(end) && start >= 0 && start <= end && end <= extent)) {
      throw new RangeError(`positions ${start} to ${end} are outside its axis ${axis}`);
    }
    return [{ dtype: x!.dtype, shape: x!.shape.with(axis, end - start) }];
  },
  couple(coupling, [x], [y], { axis, start, end }) {
    x!.axes.forEach((expression, i) => {
      if (i === axis) coupling.select(expression, y!.axes[i]!, start, end);
      else coupling.same(expression, y!.axes[i]!);
    });
  },
  gradient(b, { inputs, gradients, attributes: { axis, start, end } }) {
    const extent = inputs[0]!.shape[axis] as number;
    return [gradients[0] && pad(b, gradients[0], axis, start, extent - end)];
  },
  evaluate([x], { axis, start, end }, [shape]) {
    const { outer, extent, inner } = around(x!.shape, axis);
    const out = ndarray(shape!);
    const run = (end - start) * inner;
    for (let o = 0; o < outer; o++) {
      const from = (o * extent + start) * inner;
      out.data.set(x!.data.subarray(from, from + run), o * run);
    }
    return [out];
  },
});

export type PadAttributes = { readonly axis: number; readonly before: number; readonly after: number };

/** Zeros before and after along one axis. ONNX `Pad`, mode constant. */
export const padOperator: Operator<PadAttributes> = defineOperator<PadAttributes>({
  name: "Pad",
  arity: 1,
  simplify: zeroForZero,
  infer([x], { axis, before, after }) {
    checkAxis(axis, x!.shape.length);
    if (![before, after].every((rows) => Number.isInteger(rows) && rows >= 0)) {
      throw new RangeError(`it cannot add ${before} and ${after} positions`);
    }
    const whole = addExtents([before, x!.shape[axis]!, after]);
    return [{ dtype: x!.dtype, shape: x!.shape.with(axis, whole) }];
  },
  couple(coupling, [x], [y], { axis }) {
    x!.axes.forEach((expression, i) => {
      if (i !== axis) {
        coupling.same(expression, y!.axes[i]!);
        return;
      }
      coupling.fixed(expression, "Pad extends it");
      coupling.fixed(y!.axes[i]!, "Pad extends it");
    });
  },
  gradient(b, { inputs, gradients, attributes: { axis, before } }) {
    const extent = inputs[0]!.shape[axis] as number;
    return [gradients[0] && slice(b, gradients[0], axis, before, before + extent)];
  },
  evaluate([x], { axis, before }, [shape]) {
    const { outer, extent, inner } = around(x!.shape, axis);
    const out = ndarray(shape!);
    for (let o = 0; o < outer; o++) {
      const run = x!.data.subarray(o * extent * inner, (o + 1) * extent * inner);
      out.data.set(run, (o * shape![axis]! + before) * inner);
    }
    return [out];
  },
});

export type ConcatAttributes = { readonly axis: number };

/** Values one after the other along an axis. ONNX `Concat`. */
export const concatOperator: Operator<ConcatAttributes> = defineOperator<ConcatAttributes>({
  name: "Concat",
  arity: [1, Number.POSITIVE_INFINITY],
  rearranges: "some",
  simplify: (zero) => (zero.every(Boolean) ? "zero" : undefined),
  infer(parts, { axis }) {
    const [first] = parts;
    checkAxis(axis, first!.shape.length);
    for (const part of parts) {
      const fits =
        part.shape.length === first!.shape.length &&
        part.shape.every((extent, i) => i === axis || sameExtent(extent, first!.shape[i]!));
      if (!fits) throw new RangeError(`${printShape(part.shape)} does not fit ${printShape(first!.shape)}`);
    }
    const whole: Extent = addExtents(parts.map((part) => part.shape[axis]!));
    return [{ dtype: first!.dtype, shape: first!.shape.with(axis, whole) }];
  },
  couple(coupling, parts, [y], { axis }) {
    for (const part of parts) {
      part.axes.forEach((expression, i) => {
        if (i !== axis) coupling.same(expression, y!.axes[i]!);
      });
    }
    coupling.join(
      parts.map((part) => part.axes[axis]!),
      y!.axes[axis]!,
    );
  },
  gradient(b, { inputs, gradients, attributes: { axis }, wants }) {
    let start = 0;
    return inputs.map((input, i) => {
      const from = start;
      start += input.shape[axis] as number;
      return gradients[0] && wants(i) ? slice(b, gradients[0], axis, from, start) : undefined;
    });
  },
  evaluate(parts, { axis }, [shape]) {
    const out = ndarray(shape!);
    const { outer, extent, inner } = around(shape!, axis);
    let before = 0;
    for (const part of parts) {
      const run = part.shape[axis]! * inner;
      for (let o = 0; o < outer; o++) {
        out.data.set(part.data.subarray(o * run, (o + 1) * run), (o * extent + before) * inner);
      }
      before += part.shape[axis]!;
    }
    return [out];
  },
});

export function slice(b: Builder, x: Value, axis: number, start: number, end: number): Value {
  const at = normalizeAxis(axis, x.shape.length);
  return start === 0 && end === x.shape[at] ? x : b.apply(sliceOperator, [x], { axis: at, start, end });
}

export function pad(b: Builder, x: Value, axis: number, before: number, after: number): Value {
  if (before === 0 && after === 0) return x;
  return b.apply(padOperator, [x], { axis: normalizeAxis(axis, x.shape.length), before, after });
}

export function concat(b: Builder, parts: readonly Value[], axis: number): Value {
  if (parts.length === 1) return parts[0]!;
  return b.apply(concatOperator, parts, { axis: normalizeAxis(axis, parts[0]!.shape.length) });
}
