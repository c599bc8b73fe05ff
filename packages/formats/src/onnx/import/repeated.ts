import { EspalierError } from "@espalier/core";
import {
  broadcastShapes,
  type Extent,
  expand,
  expandOperator,
  isBatch,
  isCallOf,
  normalizeAxis,
  type Shape,
  sameShape,
} from "@espalier/core/graph";
import { expandKnown, reshapeKnown, takeKnown } from "./arrays.ts";
import { type Call, lift } from "./call.ts";
import { UnreadableError } from "./errors.ts";
import { type Item, isKnown, isRepeated, isTruth, isValue, type Repeated } from "./items.ts";
import { build, type Known, pairAt } from "./known.ts";

/** Constants that are equal for all samples: masks with a batch axis stay numbers under any operation. */

/** Operators that work element by element, with broadcasting. */
export const byElement: ReadonlySet<string> = new Set([
  ...["Add", "Sub", "Mul", "Div", "Mod", "Pow", "Max", "Min", "Sum", "Mean", "PRelu", "Where", "Clip"],
  ...["Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "And", "Or", "Xor", "Not"],
  ...["Cast", "CastLike", "IsNaN", "IsInf", "Abs", "Neg", "Sign", "Floor", "Ceil", "Round", "Reciprocal"],
  ...["Sqrt", "Exp", "Log", "Sin", "Cos", "Tanh", "Sigmoid", "Relu"],
]);

/** Operators that move axes and keep the batch whole. */
const byAxis = new Set(["Identity", "Trilu", "Unsqueeze", "Squeeze", "Transpose", "Slice", "Gather", "Tile"]);

/** Numbers in a shape with the batch; those of one sample are given, with extent 1 in place of the batch. */
export function repeated(known: Known, shape: Shape): Item {
  const once = expandKnown(known, withoutBatch(shape));
  return shape.some(isBatch) ? { repeats: once, shape } : once;
}

const withoutBatch = (shape: Shape) => shape.map((extent) => (isBatch(extent) ? 1 : extent));

/** The constant of all samples, as a value or truth values. */
export function spreadOut(call: Call, { repeats, shape }: Repeated): Item {
  const value = expand(call.b, lift(call, repeats), shape);
  return repeats.kind === "bool" ? { truth: value } : value;
}

/** The result of an operator some of whose inputs are repeated. `run` reads it with other inputs. */
export function ofRepeated(
  call: Call,
  run: (inputs: readonly (Item | undefined)[]) => readonly (Item | undefined)[],
): readonly (Item | undefined)[] {
  const with_ = (change: (item: Repeated) => Item) =>
    call.inputs.map((item) => (item !== undefined && isRepeated(item) ? change(item) : item));
  const once = with_(({ repeats }) => repeats);
  if (byElement.has(call.operator) || call.operator === "Expand") {
    const shapes = call.inputs.flatMap((item): Shape[] => {
      if (item === undefined) return [];
      if (isTruth(item)) return [item.truth.shape];
      return isKnown(item) || isValue(item) || isRepeated(item) ? [item.shape] : [];
    });
    const given = call.operator === "Expand" ? shapes.slice(0, 1) : shapes;
    return run(once).map((item) => item && inShape(call, item, given));
  }
  const whole = run(with_((item) => spreadOut(call, item)));
  if (
    !byAxis.has(call.operator) ||
    !call.inputs.slice(1).every((item) => item === undefined || isKnown(item))
  )
    return whole;
  return whole.map((item, i) => {
    const shape = item && shapeOfDrawn(item);
    const part = shape && attempt(() => run(once))?.[i];
    const fits = part !== undefined && isKnown(part) && sameShape(part.shape, withoutBatch(shape!));
    return fits ? repeated(part, shape!) : item;
  });
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof EspalierError) return undefined;
    throw error;
  }
}

function shapeOfDrawn(item: Item): Shape | undefined {
  return isTruth(item) ? item.truth.shape : isValue(item) ? item.shape : undefined;
}

/** A result computed for one sample, in the shape that follows from all operands. */
function inShape(call: Call, item: Item, shapes: readonly Shape[]): Item {
  const own = isRepeated(item) || isKnown(item) ? item.shape : shapeOfDrawn(item);
  const shape = [...shapes, own!].reduce<Shape | undefined>((a, b) => a && broadcastShapes(a, b), []);
  if (shape === undefined) throw new UnreadableError("the shapes do not broadcast");
  if (isKnown(item)) return repeated(item, shape);
  if (isRepeated(item)) return repeated(item.repeats, shape);
  if (isTruth(item)) return { truth: expand(call.b, item.truth, shape) };
  return isValue(item) ? expand(call.b, item, shape) : item;
}

/**
 * A constant written for each sample of one batch size, next to a value whose batch is open: the part of one sample,
 * which must be equal for all. Axes are aligned from the last.
 */
export function ofOneSample(call: Call, item: Item, beside: Shape): Item {
  const { opened } = call.context;
  if (!(isKnown(item) || isValue(item)) || item.shape.some(isBatch)) return item;
  const samples = (extent: Extent, other: Extent | undefined): number =>
    other === undefined || !isBatch(other) ? 1 : (opened?.size ?? (extent as number) / other.batch);
  const lead = beside.length - item.shape.length;
  const axis = item.shape.findIndex((extent, i) => {
    const other = beside[i + lead];
    const count = samples(extent, other);
    return Number.isInteger(count) && count > 1 && extent === count * (other as { batch: number }).batch;
  });
  if (axis < 0) return item;
  const part = (beside[axis + lead] as { batch: number }).batch;
  if (isKnown(item)) return firstOf(item, axis, part, samples(item.shape[axis]!, beside[axis + lead]));
  const producer = call.b.producer(item);
  const before = isCallOf(producer, expandOperator) ? call.b.value(producer.inputs[0]!) : undefined;
  const own = before?.shape[axis - item.shape.length + before.shape.length];
  if (part !== 1 || before === undefined || (own ?? 1) !== 1) return item;
  return expand(call.b, before, item.shape.with(axis, 1));
}

function firstOf(known: Known, axis: number, part: number, samples: number): Known {
  const { source, shape } = known;
  const positions = Array.from({ length: part }, (_, i) => i);
  const first = takeKnown(known, axis, positions);
  const split = [...shape.slice(0, axis), samples, part, ...shape.slice(axis + 1)];
  const all = expandKnown(reshapeKnown(first, split.with(axis, 1)), split);
  const alike = build(known.kind, shape, (i) => pairAt(all, i)).data.every((n, i) =>
    Object.is(n, Number(known.data[i])),
  );
  if (!alike) throw new UnreadableError("its constant differs from sample to sample");
  return { ...first, ...(source && { source }) };
}

/** For operators whose operands are aligned with each other, cuts a constant written for all samples to one sample. */
export function alignedToBatch(call: Call): Call {
  const { operator } = call;
  if (!byElement.has(operator) && operator !== "Concat" && operator !== "MatMul") return call;
  const found = call.inputs.map((item) => item && shapeOfDrawn(item)).find((shape) => shape?.some(isBatch));
  if (found === undefined) return call;
  const rank = found.length;
  const own = operator === "Concat" ? normalizeAxis(call.attributes.int("axis"), rank) : -1;
  // Matrices and the parts of a Concat are not aligned.
  const beside = found.map((extent, axis) =>
    axis === own || (operator === "MatMul" && axis >= rank - 2) ? 1 : extent,
  );
  return { ...call, inputs: call.inputs.map((item) => item && ofOneSample(call, item, beside)) };
}
