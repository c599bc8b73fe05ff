import {
  type Builder,
  broadcastShapes,
  concat,
  divideExtent,
  type Extent,
  elementsOf,
  expand,
  gather,
  isBatch,
  isCallOf,
  printShape,
  reshape,
  reshapeOperator,
  type Shape,
  sameExtent,
  sameShape,
  slice,
  transpose,
  transposeOperator,
  type Value,
} from "@espalier/core/graph";
import { UnreadableError } from "./errors.ts";

/** Layout of drawn values: the ONNX forms of Reshape, Transpose, Slice and Gather, drawn so that dimensions stay visible. */

/** The target of a Reshape as a shape: 0 copies (unless `literalZero`), −1 is inferred from the rest. */
export function reshapeTarget(from: Shape, target: readonly Extent[], literalZero: boolean): Shape {
  const extents = target.map((extent, axis) => {
    if (extent !== 0 || literalZero) return extent;
    const copied = from[axis];
    if (copied === undefined) throw new UnreadableError(`a 0 at ${axis} of its shape has no axis to copy`);
    return copied;
  });
  const open = extents.flatMap((extent, axis) => (extent === -1 ? [axis] : []));
  if (open.length > 1) throw new UnreadableError("its shape leaves more than one axis open");
  const [axis] = open;
  if (axis === undefined) return extents;
  const rest = divideExtent(elementsOf(from), elementsOf(extents.filter((_, i) => i !== axis)));
  if (rest === undefined) {
    throw new UnreadableError(
      `${printShape(from)} does not fill its shape [${target.map(printExtent).join(", ")}]`,
    );
  }
  return extents.with(axis, rest);
}

const printExtent = (extent: Extent) => printShape([extent]).slice(1, -1);

/** Draws a transpose; one that only moves axes of extent 1 becomes a reshape, which shows heads more clearly. */
export function permute(b: Builder, x: Value, perm: readonly number[]): Value {
  const moved = perm.filter((axis) => x.shape[axis] !== 1);
  if (moved.some((axis, i) => i > 0 && axis < moved[i - 1]!)) return transpose(b, x, perm);
  return reshape(
    b,
    x,
    perm.map((axis) => x.shape[axis]!),
  );
}

/** Repeats axes of extent 1, and adds leading ones. */
export function expandTo(b: Builder, x: Value, shape: Shape): Value {
  const result = broadcastShapes(x.shape, shape);
  if (result === undefined || !sameShape(result, shape))
    throw new UnreadableError(`${printShape(x.shape)} cannot be repeated to ${printShape(shape)}`);
  return expand(b, x, shape);
}

/**
 * Draws positions `start` to `end` along an axis. If the axis was split off a larger one, that one is sliced before the
 * split, so that adjacent parts (query, key and value of one projection) are separate dimensions.
 */
export function sliceAlong(b: Builder, x: Value, axis: number, start: number, end: number): Value {
  if (start === 0 && end === x.shape[axis]) return x;
  return sliceBeforeSplit(b, x, axis, start, end) ?? slice(b, x, axis, start, end);
}

function sliceBeforeSplit(b: Builder, x: Value, axis: number, start: number, end: number): Value | undefined {
  const producer = b.producer(x);
  if (producer === undefined) return undefined;
  const before = b.value(producer.inputs[0]!);
  if (isCallOf(producer, transposeOperator)) {
    const { perm } = producer.attributes;
    const inner = sliceBeforeSplit(b, before, perm[axis]!, start, end);
    return inner && permute(b, inner, perm);
  }
  if (!isCallOf(producer, reshapeOperator)) return undefined;
  const lead = elementsOf(x.shape.slice(0, axis));
  const whole = before.shape.findIndex(
    (extent, i) => extent !== 1 && sameExtent(elementsOf(before.shape.slice(0, i)), lead),
  );
  const extent = before.shape[whole];
  const inner = extent === undefined ? undefined : divideExtent(extent, x.shape[axis]!);
  if (typeof inner !== "number" || typeof extent !== "number" || !endsAnAxis(x.shape, axis, inner))
    return undefined;
  const shape = x.shape.with(axis, end - start);
  if (inner > 1) return reshape(b, sliceAlong(b, before, whole, start * inner, end * inner), shape);
  const further = sliceBeforeSplit(b, before, whole, start, end);
  return further && reshape(b, further, shape);
}

/**
 * Draws an operation along one axis (`draw` may change its length), if possible before a reshape that only merged or
 * split other axes, so that those do not change.
 */
export function beforeReshape(
  b: Builder,
  x: Value,
  axis: number,
  draw: (x: Value, axis: number) => Value,
): Value {
  const producer = b.producer(x);
  if (!isCallOf(producer, reshapeOperator)) return draw(x, axis);
  const before = b.value(producer.inputs[0]!);
  const own = before.shape.findIndex(
    (extent, at) =>
      extent !== 1 &&
      sameExtent(extent, x.shape[axis]!) &&
      sameExtent(elementsOf(before.shape.slice(0, at)), elementsOf(x.shape.slice(0, axis))),
  );
  if (own < 0) return draw(x, axis);
  const drawn = draw(before, own);
  return reshape(b, drawn, x.shape.with(axis, drawn.shape[own]!));
}

/** Whether the axes behind `axis` hold `inner` elements up to the end of one of them. */
function endsAnAxis(shape: Shape, axis: number, inner: number): boolean {
  let product = 1;
  for (let i = axis + 1; product < inner && i < shape.length; i++) {
    const extent = shape[i]!;
    if (isBatch(extent)) return false;
    product *= extent;
  }
  return product === inner;
}

/** Draws positions along an axis, in the given order: as a slice if they are consecutive. */
export function takeAlong(
  b: Builder,
  x: Value,
  axis: number,
  positions: readonly number[],
  indices: () => Value,
): Value {
  const [first = 0] = positions;
  if (positions.every((position, i) => position === first + i))
    return sliceAlong(b, x, axis, first, first + positions.length);
  if (x.shape[axis] === 1) return expand(b, x, x.shape.with(axis, positions.length));
  return gather(b, x, indices(), axis);
}

/** Joins values; those written for one sample are repeated over the batch. */
export function join(b: Builder, parts: readonly Value[], axis: number, madeForOne: boolean): Value {
  const rank = parts[0]!.shape.length;
  const shape = Array.from(
    { length: rank },
    (_, i) => parts.find((part) => part.shape[i] !== undefined && isBatch(part.shape[i]!))?.shape[i],
  );
  const repeated = parts.map((part) => {
    const target = part.shape.map((extent, i) =>
      i !== axis && shape[i] !== undefined && madeForOne && extent === 1 ? shape[i] : extent,
    );
    return expand(b, part, target);
  });
  return concat(b, repeated, axis);
}
