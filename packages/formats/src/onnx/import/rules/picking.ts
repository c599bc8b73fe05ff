import {
  add,
  gather,
  gatherND,
  greater,
  isBatch,
  isCallOf,
  printShape,
  reshape,
  sameShape,
  slice,
  swapAxes,
  topKOperator,
  type Value,
  where,
} from "@espalier/core";
import { takeKnown } from "../arrays.ts";
import {
  axisOf,
  type Call,
  fixedExtent,
  indexValue,
  input,
  isPlain,
  knownInput,
  knownIntegers,
  lift,
  needed,
  positionsOf,
  type Rule,
  regroup,
  shapeOf,
} from "../call.ts";
import { UnreadableError } from "../errors.ts";
import { type Item, isKnown } from "../items.ts";
import { plainNumbers } from "../known.ts";
import { takeAlong } from "../layout.ts";

/** Operators that pick positions along an axis. */

/** Positions that ONNX's Slice takes of an axis. */
function slicePositions(extent: number, start: number, end: number, step: number): number[] {
  const clamp = (at: number, low: number, high: number) =>
    Math.min(Math.max(at < 0 ? at + extent : at, low), high);
  if (step === 0) throw new UnreadableError("its step is 0");
  const [from, to] =
    step > 0
      ? [clamp(start, 0, extent), clamp(end, 0, extent)]
      : [clamp(start, 0, extent - 1), clamp(end, -1, extent - 1)];
  const count = Math.max(0, Math.ceil((to - from) / step));
  return Array.from({ length: count }, (_, i) => from + i * step);
}

const sliceRule: Rule = (call) => {
  let item = input(call, 0);
  const rank = shapeOf(item).length;
  const starts = needed(knownIntegers(call, 1, "starts"), "starts");
  const ends = needed(knownInput(call, 2, "ends"), "ends");
  const axes = knownIntegers(call, 3, "axes") ?? starts.map((_, i) => i);
  const steps = knownIntegers(call, 4, "steps") ?? starts.map(() => 1);
  if (ends.data.length !== starts.length || axes.length !== starts.length || steps.length !== starts.length)
    throw new UnreadableError("its starts, ends, axes and steps differ in number");
  starts.forEach((start, i) => {
    const axis = axisOf(axes[i]!, rank);
    const extent = shapeOf(item)[axis]!;
    const end = ends.data[i]!;
    if (isBatch(extent)) {
      const toEnd = end >= 2 ** 31 - 1 || (ends.powers?.[i] === 1 && end >= extent.batch);
      const { opened } = call.context;
      const frozen = opened !== undefined && end >= extent.batch * opened.size;
      if (start !== 0 || steps[i] !== 1 || !(toEnd || frozen))
        throw new UnreadableError(
          `axis ${axis} of ${printShape(shapeOf(item))} cannot be cut: it would pick samples of a batch`,
        );
      return;
    }
    if ((ends.powers?.[i] ?? 0) !== 0)
      throw new UnreadableError("where it ends would depend on the batch size");
    item = take(call, item, axis, slicePositions(extent, start, end, steps[i]!));
  });
  return item;
};

/** Positions of an axis, of a constant or a value. */
export function take(call: Call, item: Item, axis: number, positions: readonly number[]): Item {
  if (isPlain(call, item)) return takeKnown(item, axis, positions);
  const x = lift(call, item);
  // In files of Espalier's own the nodes are those of the model.
  const [first = 0] = positions;
  const range = positions.every((position, i) => position === first + i);
  if (range && call.context.weights.rolesAreTold)
    return slice(call.b, x, axis, first, first + positions.length);
  return takeAlong(call.b, x, axis, positions, () => indexValue(call, [positions.length], positions));
}

const split: Rule = (call) => {
  const item = input(call, 0);
  const shape = shapeOf(item);
  const axis = axisOf(call.attributes.int("axis", 0), shape.length);
  const extent = fixedExtent(shape[axis]!, "splitting the batch axis");
  const count = call.attributes.int("num_outputs", call.wants.length);
  const each = Math.ceil(extent / count);
  const sizes =
    knownIntegers(call, 1, "sizes") ??
    Array.from({ length: count }, (_, i) => Math.max(0, Math.min(each, extent - i * each)));
  if (sizes.some((size) => size < 0) || sizes.reduce((n, size) => n + size, 0) !== extent)
    throw new UnreadableError(
      `parts of [${sizes.slice(0, 16).join(", ")}] do not make up its ${extent} positions`,
    );
  let start = 0;
  return sizes.map((size, i) => {
    const from = start;
    start += size;
    if (!call.wants[i]) return undefined;
    return take(
      call,
      item,
      axis,
      Array.from({ length: size }, (_, at) => from + at),
    );
  });
};

/** Computed indices counted from the front: to ONNX negative ones count from the end. Those of a TopK never are. */
function fromFront(call: Call, indices: Value, extent: number): Value {
  const { b } = call;
  let source = b.producer(indices);
  while (source?.operator.rearranges !== undefined) source = b.producer(b.value(source.inputs[0]!));
  if (isCallOf(source, topKOperator)) return indices;
  const negative = greater(b, indexValue(call, [], [0]), indices);
  return where(b, negative, add(b, indices, indexValue(call, [], [extent])), indices);
}

const gatherRule: Rule = (call) => {
  const [item, indices] = [input(call, 0), input(call, 1)];
  const shape = shapeOf(item);
  const axis = axisOf(call.attributes.int("axis", 0), shape.length);
  const extent = fixedExtent(shape[axis]!, "picking along the batch axis");
  if (!isKnown(indices)) {
    const table = lift(call, item, { as: "weight" });
    return gather(call.b, table, fromFront(call, indices as Value, extent), axis);
  }
  const positions = positionsOf(plainNumbers(indices), extent);
  const result = shape.toSpliced(axis, 1, ...indices.shape);
  if (isPlain(call, item) || indices.shape.length <= 1) {
    return regroup(call, take(call, item, axis, positions), result);
  }
  const x = lift(call, item, { as: "weight" });
  return gather(call.b, x, indexValue(call, indices.shape, positions), axis);
};

/** Picks one element at a time: along the axis, each position of the others has indices of its own. */
const gatherElements: Rule = (call) => {
  const [item, indices] = [input(call, 0), input(call, 1)];
  const shape = shapeOf(item);
  const axis = axisOf(call.attributes.int("axis", 0), shape.length);
  const extent = fixedExtent(shape[axis]!, "picking along the batch axis");
  if (!sameShape(shapeOf(indices).with(axis, 0), shape.with(axis, 0)))
    throw new UnreadableError(
      `indices ${printShape(shapeOf(indices))} for ${printShape(shape)} leave out positions, which is not supported`,
    );
  const positions = isKnown(indices)
    ? indexValue(call, indices.shape, positionsOf(plainNumbers(indices), extent))
    : fromFront(call, indices as Value, extent);
  const { b } = call;
  const last = (value: Value) => swapAxes(b, value, axis, -1);
  const tuples = last(positions);
  const picked = gatherND(
    b,
    last(lift(call, item)),
    reshape(b, tuples, [...tuples.shape, 1]),
    shape.length - 1,
  );
  return last(picked);
};

export const picking: Readonly<Record<string, Rule>> = {
  Slice: sliceRule,
  Split: split,
  Gather: gatherRule,
  GatherElements: gatherElements,
};
