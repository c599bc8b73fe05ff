import { ShapeError } from "../errors.ts";
import type { Builder, Value } from "../graph/builder.ts";
import { broadcastShapes, type Shape } from "../graph/extent.ts";
import { broadcastStrides, ndarray, walk, zip } from "../reference/array.ts";
import { reduceTo } from "./broadcast.ts";
import { inferBroadcast, type None } from "./by-element.ts";
import { defineOperator, type Operator } from "./operator.ts";

/** Truth values are the numbers 1 and 0, so that they can be factors. */

function comparison(name: string, holds: (a: number, b: number) => boolean): Operator<None> {
  return defineOperator<None>({
    name,
    arity: 2,
    broadcasts: true,
    infer: (inputs) => inferBroadcast(inputs).map(({ shape }) => ({ dtype: "float32", shape })),
    couple(coupling, [left, right], [out]) {
      coupling.broadcast(left!, out!);
      coupling.broadcast(right!, out!);
    },
    /** A step function has no slope. */
    gradient: () => [undefined, undefined],
    evaluate: ([a, b], _attributes, [shape]) => [zip(a!, b!, shape!, (x, y) => (holds(x, y) ? 1 : 0))],
  });
}

/** 1 where a > b, 0 elsewhere, with broadcasting. ONNX `Greater`, as a number. */
export const greaterOperator: Operator<None> = comparison("Greater", (a, b) => a > b);

/** 1 where a = b, 0 elsewhere, with broadcasting. ONNX `Equal`, as a number. */
export const equalOperator: Operator<None> = comparison("Equal", (a, b) => a === b);

/**
 * a where the condition is not 0, b where it is, with broadcasting: (condition, a, b) → y. The value that is not chosen
 * may be infinite or NaN. ONNX `Where`, with a number as condition.
 */
export const whereOperator: Operator<None> = defineOperator<None>({
  name: "Where",
  arity: 3,
  broadcasts: true,
  infer([condition, a, b]) {
    const both = broadcastShapes(a!.shape, b!.shape);
    const shape: Shape | undefined = both && broadcastShapes(condition!.shape, both);
    if (shape === undefined) throw new ShapeError("the shapes do not broadcast");
    if (condition!.dtype !== "float32") throw new ShapeError("the condition must be float32: 1 or 0");
    if (a!.dtype !== b!.dtype) throw new ShapeError("it chooses between values of two types");
    return [{ dtype: a!.dtype, shape }];
  },
  couple(coupling, operands, [y]) {
    for (const operand of operands) coupling.broadcast(operand, y!);
  },
  simplify: ([condition, a, b]) => (a && b ? "zero" : condition ? 2 : undefined),
  gradient(b, { inputs: [condition, yes, no], gradients: [dy], wants }) {
    if (dy === undefined) return [undefined, undefined, undefined];
    const none = b.constant(0);
    const part = (chosen: Value, other: Value, to: Value) =>
      reduceTo(b, where(b, condition!, chosen, other), to.shape);
    return [
      undefined,
      wants(1) ? part(dy, none, yes!) : undefined,
      wants(2) ? part(none, dy, no!) : undefined,
    ];
  },
  evaluate([condition, a, b], _attributes, [shape]) {
    const out = ndarray(shape!);
    const read = [condition!, a!, b!].map((operand) => broadcastStrides(operand.shape, shape!));
    walk(shape!, read, (i, [c, yes, no]) => {
      out.data[i] = condition!.data[c!] === 0 ? b!.data[no!]! : a!.data[yes!]!;
    });
    return [out];
  },
});

/** 1 where x > y, 0 elsewhere, with broadcasting. */
export function greater(b: Builder, x: Value, y: Value): Value {
  return b.apply(greaterOperator, [x, y], {});
}
/** 1 where x = y, 0 elsewhere, with broadcasting. */
export function equal(b: Builder, x: Value, y: Value): Value {
  return b.apply(equalOperator, [x, y], {});
}
/** x where the condition is not 0, y where it is, with broadcasting. */
export function where(b: Builder, condition: Value, x: Value, y: Value): Value {
  return b.apply(whereOperator, [condition, x, y], {});
}
