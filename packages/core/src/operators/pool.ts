import { ShapeError } from "../errors.ts";
import type { Builder, Value } from "../graph/builder.ts";
import { isBatch, normalizeAxis } from "../graph/extent.ts";
import type { ValueType } from "../graph/graph.ts";
import { around, type NdArray, ndarray } from "../reference/array.ts";
import { checkAxis, defineOperator, type Operator, zeroForZero } from "./operator.ts";

/**
 * A window of `kernel` positions that moves along one axis; `before` and `after` count padding positions, which are
 * ignored.
 */
export type PoolAttributes = {
  readonly axis: number;
  readonly kernel: number;
  readonly stride: number;
  readonly before: number;
  readonly after: number;
};

const meaning = "a pooling window slides along it";

function inferPool([x]: readonly ValueType[], { axis, kernel, stride, before, after }: PoolAttributes) {
  checkAxis(axis, x!.shape.length);
  const extent = x!.shape[axis]!;
  if (isBatch(extent)) throw new ShapeError("the batch axis cannot be pooled");
  const whole = [kernel, stride, before, after].every((n) => Number.isInteger(n) && n >= 0);
  if (!whole || kernel < 1 || stride < 1 || Math.max(before, after) >= kernel) {
    throw new ShapeError(
      "kernel and stride must be 1 or more, the padding on each side smaller than the kernel",
    );
  }
  const count = Math.floor((extent + before + after - kernel) / stride) + 1;
  if (count < 1) throw new ShapeError(`a window of ${kernel} does not fit its axis ${axis}`);
  return [{ dtype: x!.dtype, shape: x!.shape.with(axis, count) }];
}

const couplePool: Operator<PoolAttributes>["couple"] = (coupling, [x], [y], { axis }) => {
  x!.axes.forEach((expression, i) => {
    if (i !== axis) coupling.same(expression, y!.axes[i]!);
  });
  coupling.fixed(x!.axes[axis]!, meaning);
  coupling.fixed(y!.axes[axis]!, meaning);
};

/**
 * `couple` of a gradient: the first input has the extent of the window's output, the others and the result that of its
 * input.
 */
const coupleGradient: Operator<PoolAttributes>["couple"] = (coupling, inputs, [dx], { axis }) => {
  coupling.fixed(dx!.axes[axis]!, meaning);
  for (const operand of inputs) {
    operand.axes.forEach((expression, i) => {
      if (i !== axis) coupling.same(expression, dx!.axes[i]!);
    });
    coupling.fixed(operand.axes[axis]!, meaning);
  }
};

/** Calls `visit` for each output element with the elements of its window: `count` of them from `first`, `step` apart. */
function eachWindow(
  shape: readonly number[],
  outputs: number,
  { axis, kernel, stride, before }: PoolAttributes,
  visit: (to: number, first: number, count: number, step: number) => void,
): void {
  const { outer, extent, inner } = around(shape, axis);
  for (let o = 0; o < outer; o++) {
    for (let position = 0; position < outputs; position++) {
      const start = Math.max(0, position * stride - before);
      const end = Math.min(extent, position * stride - before + kernel);
      for (let i = 0; i < inner; i++) {
        visit((o * outputs + position) * inner + i, (o * extent + start) * inner + i, end - start, inner);
      }
    }
  }
}

/**
 * Mean over a window that slides along one axis. ONNX `AveragePool` over one spatial axis, `count_include_pad` 0; any
 * axis except the batch.
 */
export const averagePoolOperator: Operator<PoolAttributes> = defineOperator<PoolAttributes>({
  name: "AveragePool",
  arity: 1,
  simplify: zeroForZero,
  infer: inferPool,
  couple: couplePool,
  gradient(b, { inputs: [x], gradients: [dy], attributes }) {
    const extent = x!.shape[attributes.axis] as number;
    return [dy && b.apply(averagePoolGradient, [dy], { ...attributes, extent })];
  },
  evaluate([x], attributes, [shape]) {
    const out = ndarray(shape!);
    eachWindow(x!.shape, shape![attributes.axis]!, attributes, (to, first, count, step) => {
      for (let k = 0; k < count; k++) out.data[to]! += x!.data[first + k * step]! / count;
    });
    return [out];
  },
});

/** The pooling, and the original extent of its axis. */
export type PoolGradientAttributes = PoolAttributes & { readonly extent: number };

/** Spreads each dy evenly over its window: dy → dx, `extent` long along `axis`. */
export const averagePoolGradient: Operator<PoolGradientAttributes> = defineOperator<PoolGradientAttributes>({
  name: "AveragePoolGradient",
  arity: 1,
  infer: ([dy], { axis, extent }) => [{ dtype: dy!.dtype, shape: dy!.shape.with(axis, extent) }],
  couple: coupleGradient,
  evaluate([dy], attributes, [shape]) {
    const out = ndarray(shape!);
    eachWindow(shape!, dy!.shape[attributes.axis]!, attributes, (to, first, count, step) => {
      for (let k = 0; k < count; k++) out.data[first + k * step]! += dy!.data[to]! / count;
    });
    return [out];
  },
});

/** Largest value of a window that slides along one axis. ONNX `MaxPool` over one spatial axis; any axis except the batch. */
export const maxPoolOperator: Operator<PoolAttributes> = defineOperator<PoolAttributes>({
  name: "MaxPool",
  arity: 1,
  simplify: zeroForZero,
  infer: inferPool,
  couple: couplePool,
  gradient: (b, { inputs: [x], gradients: [dy], attributes }) => [
    dy && b.apply(maxPoolGradient, [dy, x!], attributes),
  ],
  evaluate([x], attributes, [shape]) {
    const out = ndarray(shape!);
    eachWindow(x!.shape, shape![attributes.axis]!, attributes, (to, ...window) => {
      out.data[to] = x!.data[largest(x!, ...window)]!;
    });
    return [out];
  },
});

/** Passes each dy to the first largest value of its window: (dy, x) → dx. */
export const maxPoolGradient: Operator<PoolAttributes> = defineOperator<PoolAttributes>({
  name: "MaxPoolGradient",
  arity: 2,
  infer: ([, x]) => [x!],
  couple: coupleGradient,
  evaluate([dy, x], attributes, [shape]) {
    const out = ndarray(shape!);
    eachWindow(shape!, dy!.shape[attributes.axis]!, attributes, (from, ...window) => {
      out.data[largest(x!, ...window)]! += dy!.data[from]!;
    });
    return [out];
  },
});

function largest({ data }: NdArray, first: number, count: number, step: number): number {
  let best = first;
  for (let k = 1; k < count; k++) if (data[first + k * step]! > data[best]!) best = first + k * step;
  return best;
}

/** A window of `kernel` positions; by default `stride` 1 and no padding. */
export type PoolOptions = { readonly kernel: number } & Partial<Omit<PoolAttributes, "axis" | "kernel">>;

/** Mean of a window that slides along one axis; a negative axis counts from the last. */
export function averagePool(b: Builder, x: Value, axis: number, options: PoolOptions): Value {
  return b.apply(averagePoolOperator, [x], poolAttributes(x, axis, options));
}

/** Largest value of a window that slides along one axis; a negative axis counts from the last. */
export function maxPool(b: Builder, x: Value, axis: number, options: PoolOptions): Value {
  return b.apply(maxPoolOperator, [x], poolAttributes(x, axis, options));
}

function poolAttributes(x: Value, axis: number, { kernel, stride = 1, before = 0, after = 0 }: PoolOptions) {
  return { axis: normalizeAxis(axis, x.shape.length), kernel, stride, before, after };
}
