import type { Coupling, Operand } from "../dimensions/coupling.ts";
import { ShapeError } from "../errors.ts";
import type { Builder, Value } from "../graph/builder.ts";
import { broadcastShapes, sameExtent } from "../graph/extent.ts";
import type { ValueType } from "../graph/graph.ts";
import { map, zip } from "../reference/array.ts";
import { reduceTo } from "./broadcast.ts";
import { defineOperator, type GradientCall, type Nothing, type Operator, zeroForZero } from "./operator.ts";

/** Attributes of operators that have none. */
export type None = Record<string, never>;

export function inferBroadcast([a, b]: readonly ValueType[]): readonly ValueType[] {
  const shape = broadcastShapes(a!.shape, b!.shape);
  if (shape === undefined) throw new ShapeError("the shapes do not broadcast");
  if (a!.dtype !== b!.dtype)
    throw new ShapeError(`it takes two values of one type, not ${a!.dtype} and ${b!.dtype}`);
  return [{ dtype: a!.dtype, shape }];
}

interface Binary {
  readonly name: string;
  readonly f: (a: number, b: number) => number;
  /** Whether it may join two values computed from the input: a residual connection. */
  readonly residual?: true;
  readonly simplify: (inputs: readonly Nothing[]) => "zero" | number | undefined;
  readonly gradient: (b: Builder, call: GradientCall<None>, dy: Value) => readonly (() => Value)[];
}

/** An operator of two values, with broadcasting. */
export function binary({ name, f, residual, simplify, gradient }: Binary): Operator<None> {
  return defineOperator<None>({
    name,
    arity: 2,
    broadcasts: true,
    simplify,
    infer: inferBroadcast,
    couple(coupling, [left, right], [out]) {
      coupling.broadcast(left!, out!);
      coupling.broadcast(right!, out!);
      if (name === "Mul" && left!.activation && right!.activation) noteBatches(coupling, left!, right!);
      const whole = [left!, right!].every(({ shape, activation }) => activation && (shape.at(-1) ?? 1) !== 1);
      if (residual && whole) coupling.note(out!.axes.at(-1)!, "embedding");
    },
    gradient(b, call) {
      const dy = call.gradients[0];
      if (dy === undefined) return [undefined, undefined];
      const parts = gradient(b, call, dy);
      return call.inputs.map((input, i) =>
        call.wants(i) ? reduceTo(b, parts[i]!(), input.shape) : undefined,
      );
    },
    evaluate: ([a, b], _, [shape]) => [zip(a!, b!, shape!, f)],
  });
}

/** Axes that both factors have and that neither repeats: each position is multiplied with the same position of the other. */
function noteBatches(coupling: Coupling, left: Operand, right: Operand): void {
  for (let back = 1; back <= Math.min(left.axes.length, right.axes.length); back++) {
    if (sameExtent(left.shape.at(-back)!, right.shape.at(-back)!))
      coupling.note(left.axes.at(-back)!, "batchOfScaling");
  }
}

/** An operator of one value, applied to each number. */
export function unary(
  name: string,
  f: (x: number) => number,
  gradient: (b: Builder, x: Value, y: Value, dy: Value) => Value,
): Operator<None> {
  return defineOperator<None>({
    name,
    arity: 1,
    broadcasts: true,
    ...(f(0) === 0 ? { simplify: zeroForZero } : {}),
    infer: ([x]) => [x!],
    couple: (coupling, [x], [y]) => coupling.sameAll(x!, y!),
    gradient: (b, { inputs, outputs, gradients }) => [
      gradients[0] && gradient(b, inputs[0]!, outputs[0]!, gradients[0]),
    ],
    evaluate: ([x]) => [map(x!, f)],
  });
}

/** An operator of (x, dy) that computes dx; it has no gradient of its own. */
export function unaryGradient(name: string, slope: (x: number) => number): Operator<None> {
  return defineOperator<None>({
    name,
    arity: 2,
    infer: ([x]) => [x!],
    couple(coupling, [x, dy], [dx]) {
      coupling.sameAll(x!, dx!);
      coupling.sameAll(dy!, dx!);
    },
    evaluate: ([x, dy]) => [zip(x!, dy!, x!.shape, (value, d) => slope(value) * d)],
  });
}
