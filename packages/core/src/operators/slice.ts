import { ShapeError } from "../errors.ts";
import type { Builder, Value } from "../graph/builder.ts";
import { addExtents, type Extent, isBatch, normalizeAxis, printShape, sameExtent } from "../graph/extent.ts";
import { around, ndarray } from "../reference/array.ts";
import { reduceSum } from "./broadcast.ts";
import { add } from "./elementwise.ts";
import { checkAxis, defineOperator, type Operator, zeroForZero } from "./operator.ts";

/** An axis, counted from the first, and the positions from `start` to `end` (exclusive) along it. */
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
    if (isBatch(extent)) throw new ShapeError("the batch axis cannot be sliced");
    if (!(Number.isInteger(start) && Number.isInteger(end) && start >= 0 && start <= end && end <= extent)) {
      throw new ShapeError(`positions ${start} to ${end} are outside its axis ${axis}`);
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

/** An axis, counted from the first, the number of values added before and after it, and their kind. */
export type PadAttributes = {
  readonly axis: number;
  readonly before: number;
  readonly after: number;
  /** `edge` repeats the outermost values. `wrap` continues with those of the other end, as on a ring. */
  readonly mode: PadMode;
};

/** The content of the padding: zeros, the value at the edge, or values from the other end. */
export type PadMode = "constant" | "edge" | "wrap";
const padModes: readonly string[] = ["constant", "edge", "wrap"];

/** Adds values before and after along one axis: zeros or, by mode, values of the axis itself. ONNX `Pad`. */
export const padOperator: Operator<PadAttributes> = defineOperator<PadAttributes>({
  name: "Pad",
  arity: 1,
  simplify: zeroForZero,
  infer([x], { axis, before, after, mode }) {
    checkAxis(axis, x!.shape.length);
    const extent = x!.shape[axis]!;
    if (isBatch(extent)) throw new ShapeError("the batch axis cannot be padded");
    if (!padModes.includes(mode)) throw new ShapeError(`its mode is none of ${padModes.join(", ")}`);
    const most = mode === "wrap" ? extent : Number.POSITIVE_INFINITY;
    if (![before, after].every((rows) => Number.isInteger(rows) && rows >= 0 && rows <= most)) {
      throw new ShapeError(`it cannot add ${before} and ${after} positions`);
    }
    return [{ dtype: x!.dtype, shape: x!.shape.with(axis, addExtents([before, extent, after])) }];
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
  gradient(b, { inputs, gradients: [dy], attributes: { axis, before, after, mode } }) {
    if (dy === undefined) return [undefined];
    const extent = inputs[0]!.shape[axis] as number;
    let dx = slice(b, dy, axis, before, before + extent);
    if (mode === "constant") return [dx];
    const put = (part: Value, at: number) => {
      const own = mode === "edge" ? reduceSum(b, part, [axis], true) : part;
      dx = add(b, dx, pad(b, own, axis, at, extent - at - (own.shape[axis] as number)));
    };
    if (before > 0) put(slice(b, dy, axis, 0, before), mode === "edge" ? 0 : extent - before);
    const end = before + extent;
    if (after > 0) put(slice(b, dy, axis, end, end + after), mode === "edge" ? extent - 1 : 0);
    return [dx];
  },
  evaluate([x], { axis, before, mode }, [shape]) {
    const { outer, extent, inner } = around(x!.shape, axis);
    const out = ndarray(shape!);
    const padded = shape![axis]!;
    for (let o = 0; o < outer; o++) {
      for (let position = 0; position < padded; position++) {
        const from = paddedFrom(position - before, extent, mode);
        if (from === undefined) continue;
        const start = (o * extent + from) * inner;
        out.data.set(x!.data.subarray(start, start + inner), (o * padded + position) * inner);
      }
    }
    return [out];
  },
});

/** The source position of position `at`; undefined for a zero. */
export function paddedFrom(at: number, extent: number, mode: PadMode): number | undefined {
  if (at >= 0 && at < extent) return at;
  if (mode === "constant") return undefined;
  return mode === "edge" ? Math.min(Math.max(at, 0), extent - 1) : (at + extent) % extent;
}

/** The axis along which values are joined, counted from the first. */
export type ConcatAttributes = { readonly axis: number };

/** Joins values one after the other along an axis. ONNX `Concat`. */
export const concatOperator: Operator<ConcatAttributes> = defineOperator<ConcatAttributes>({
  name: "Concat",
  arity: [1, Number.POSITIVE_INFINITY],
  rearranges: "some",
  /** Empty parts are dropped. */
  simplify(parts) {
    if (parts.every((part) => part !== undefined)) return "zero";
    return parts.includes("empty") ? parts.flatMap((part, i) => (part === "empty" ? [] : [i])) : undefined;
  },
  infer(parts, { axis }) {
    const [first] = parts;
    checkAxis(axis, first!.shape.length);
    for (const part of parts) {
      const fits =
        part.shape.length === first!.shape.length &&
        part.shape.every((extent, i) => i === axis || sameExtent(extent, first!.shape[i]!));
      if (!fits) throw new ShapeError(`${printShape(part.shape)} does not fit ${printShape(first!.shape)}`);
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

/** Draws positions `start` to `end` (exclusive) of an axis, unless that is all of it. */
export function slice(b: Builder, x: Value, axis: number, start: number, end: number): Value {
  const at = normalizeAxis(axis, x.shape.length);
  return start === 0 && end === x.shape[at] ? x : b.apply(sliceOperator, [x], { axis: at, start, end });
}

/** Draws padding before and after an axis, unless there is none. */
export function pad(
  b: Builder,
  x: Value,
  axis: number,
  before: number,
  after: number,
  mode: PadMode = "constant",
): Value {
  if (before === 0 && after === 0) return x;
  return b.apply(padOperator, [x], { axis: normalizeAxis(axis, x.shape.length), before, after, mode });
}

/** Draws values one after the other along an axis; returns a single one unchanged. */
export function concat(b: Builder, parts: readonly Value[], axis: number): Value {
  if (parts.length === 1) return parts[0]!;
  return b.apply(concatOperator, parts, { axis: normalizeAxis(axis, parts[0]!.shape.length) });
}
