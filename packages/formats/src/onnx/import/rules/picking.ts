import {
  equal,
  expand,
  gather,
  gatherND,
  isBatch,
  printShape,
  reshape,
  type Shape,
  sameExtent,
  sameShape,
  scatterND,
  slice,
  swapAxes,
  type Value,
  where,
} from "@espalier/core/graph";
import { partOf, takeKnown } from "../arrays.ts";
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
import { type Item, isKnown, isMerged, type Merged } from "../items.ts";
import { plainNumbers, scalar } from "../known.ts";
import { sliceAlong, takeAlong } from "../layout.ts";
import { ofOneSample } from "../repeated.ts";
import { listOf } from "../sizes.ts";
import { oneHotDepth, oneHotKnown } from "./constants.ts";
import { fromFront } from "./positions.ts";

/** Operators that select positions along an axis. */

/** Positions that ONNX's Slice selects along an axis. */
function slicePositions(extent: number, start: number, end: number, step: number): number[] {
  const clamp = (at: number, low: number, high: number) =>
    Math.min(Math.max(at < 0 ? at + extent : at, low), high);
  if (step === 0) throw new UnreadableError("its step is 0");
  const [from, to] =
    step > 0
      ? [clamp(start, 0, extent), clamp(end, 0, extent)]
      : [clamp(start, 0, extent - 1), clamp(end, -1, extent - 1)];
  const count = Math.max(0, Math.ceil((to - from) / step));
  return listOf(count, (i) => from + i * step);
}

const sliceRule: Rule = (call) => {
  let item = input(call, 0);
  const rank = shapeOf(item).length;
  const starts = needed(knownIntegers(call, 1, "starts"), "starts");
  const ends = needed(knownInput(call, 2, "ends"), "ends");
  const axes = knownIntegers(call, 3, "axes") ?? starts.map((_, i) => i);
  const steps = knownIntegers(call, 4, "steps") ?? starts.map(() => 1);
  if (ends.data.length !== starts.length || axes.length !== starts.length || steps.length !== starts.length)
    throw new UnreadableError("it has different numbers of starts, ends, axes and steps");
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
          `axis ${axis} of ${printShape(shapeOf(item))} cannot be cut: that would select samples of a batch`,
        );
      return;
    }
    if ((ends.powers?.[i] ?? 0) !== 0) throw new UnreadableError("its end would depend on the batch size");
    item = take(call, item, axis, slicePositions(extent, start, end, steps[i]!));
  });
  return item;
};

/** Takes positions along an axis of a constant or a value. */
export function take(call: Call, item: Item, axis: number, positions: readonly number[]): Item {
  if (isPlain(call, item)) return takeKnown(item, axis, positions);
  // Of 5,000 positions only a dozen are read: the table gets that length.
  if (isKnown(item) && item.source !== undefined && call.context.weights.isTable(item))
    return partOf(item, axis, positions);
  const x = lift(call, item);
  // In Espalier's own files, the nodes are those of the model.
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
  const count = call.wants.length;
  const declared = call.attributes.int("num_outputs", count);
  const each = Math.ceil(extent / count);
  const given = knownIntegers(call, 1, "sizes");
  const sizes =
    given ?? Array.from({ length: count }, (_, i) => Math.max(0, Math.min(each, extent - i * each)));
  if (declared !== count || sizes.length !== count)
    throw new UnreadableError(
      `it has ${count} outputs for ${declared === count ? sizes.length : declared} parts`,
    );
  if (given === undefined && call.context.opset < 18 && extent % count !== 0)
    throw new UnreadableError(`its ${extent} positions do not divide into ${count} equal parts`);
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
      listOf(size, (at) => from + at),
    );
  });
};

/** Positions along a leading axis into which samples were merged, each within its own sample. */
function gatherMerged(call: Call, { within, times, offsets }: Merged): Value {
  const { b } = call;
  const data = lift(call, input(call, 0));
  const rest = data.shape.slice(1);
  const whole = isBatch(within) ? { batch: within.batch * times } : within * times;
  if (axisOf(call.attributes.int("axis", 0), data.shape.length) !== 0 || !sameExtent(data.shape[0]!, whole))
    throw new UnreadableError("its positions do not belong to the samples of its data");
  const apart = reshape(b, data, [within, times, ...rest]);
  const tuples = reshape(b, fromFront(call, offsets, times), [...offsets.shape, 1]);
  return gatherND(b, apart, tuples, 1);
}

const gatherRule: Rule = (call) => {
  const merged = call.inputs[1];
  if (merged !== undefined && isMerged(merged)) return gatherMerged(call, merged);
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

/** A new axis that holds one value at the position that an index gives, and another elsewhere. */
const oneHot: Rule = (call) => {
  const item = input(call, 0);
  if (isKnown(item)) return oneHotKnown(call);
  const { b } = call;
  const indices = item as Value;
  const depth = oneHotDepth(call);
  const values = needed(knownInput(call, 2, "values"), "values");
  if (indices.dtype !== "int32") throw new UnreadableError("its indices must be integers");
  const rank = indices.shape.length + 1;
  const axis = axisOf(call.attributes.int("axis", -1), rank);
  const at = reshape(b, fromFront(call, indices, depth), indices.shape.toSpliced(axis, 0, 1));
  const along = Array.from({ length: rank }, (_, i) => (i === axis ? depth : 1));
  const hot = equal(
    b,
    at,
    indexValue(
      call,
      along,
      listOf(depth, (i) => i),
    ),
  );
  const [off, on] = [0, 1].map((i) => lift(call, scalar(values.kind, values.data[i]!)));
  return where(b, hot, on!, off!);
};

/** Positions along an axis, element by element, as tuples of one with that axis last. */
function positionsAlong(call: Call, indices: Item, axis: number, extent: number): Value {
  const { b } = call;
  const positions = isKnown(indices)
    ? indexValue(call, indices.shape, positionsOf(plainNumbers(indices), extent))
    : fromFront(call, indices as Value, extent);
  const last = swapAxes(b, positions, axis, -1);
  return reshape(b, last, [...last.shape, 1]);
}

/** A constant written for each sample of a file's batch, cut to one sample and repeated, if the batch was opened. */
function forEverySample(call: Call, i: number, beside: Shape): Item {
  const one = ofOneSample(call, input(call, i), beside);
  const shape = shapeOf(one);
  const open = shape.map((extent, axis) =>
    extent === 1 && isBatch(beside[axis] ?? 1) ? beside[axis]! : extent,
  );
  return call.context.opened === undefined || sameShape(shape, open)
    ? one
    : expand(call.b, lift(call, one), open);
}

/** The part of a value that indices of another shape reach, from the first position on. */
function reached(call: Call, x: Value, indices: Shape, axis: number): Value {
  return x.shape.reduce<Value>((value, extent, i) => {
    const count = indices[i]!;
    if (i === axis || sameExtent(count, extent)) return value;
    if (isBatch(count) || isBatch(extent) || count > extent)
      throw new UnreadableError(`indices ${printShape(indices)} do not fit ${printShape(x.shape)}`);
    return sliceAlong(call.b, value, i, 0, count);
  }, x);
}

/** Picks one element at a time: along the axis, each position of the other axes has its own indices. */
const gatherElements: Rule = (call) => {
  const item = input(call, 0);
  const shape = shapeOf(item);
  const axis = axisOf(call.attributes.int("axis", 0), shape.length);
  const extent = fixedExtent(shape[axis]!, "picking along the batch axis");
  const indices = forEverySample(call, 1, shape);
  const { b } = call;
  const data = reached(call, lift(call, item), shapeOf(indices), axis);
  const tuples = positionsAlong(call, indices, axis, extent);
  return swapAxes(b, gatherND(b, swapAxes(b, data, axis, -1), tuples, shape.length - 1), axis, -1);
};

/** Writes, or adds, one element at a time: along the axis, each position of the other axes has its own indices. */
const scatterElements: Rule = (call) => {
  const { b } = call;
  const shapes = [0, 1, 2].map((i) => shapeOf(input(call, i)));
  const open = shapes.find((shape) => shape.some(isBatch)) ?? [];
  const data = lift(call, forEverySample(call, 0, open));
  const axis = axisOf(call.attributes.int("axis", 0), data.shape.length);
  const extent = fixedExtent(data.shape[axis]!, "writing along the batch axis");
  const reduction = call.attributes.text("reduction", "none");
  if (reduction !== "none" && reduction !== "add")
    throw new UnreadableError(`its reduction ${reduction.slice(0, 20)} is not supported`);
  const indices = forEverySample(call, 1, open);
  const updates = lift(call, ofOneSample(call, input(call, 2), data.shape));
  const written = expand(b, updates, shapeOf(indices));
  if (!sameShape(shapeOf(indices).with(axis, 0), data.shape.with(axis, 0)))
    throw new UnreadableError(
      `indices ${printShape(shapeOf(indices))} for ${printShape(data.shape)} leave out positions, which is not supported`,
    );
  const tuples = positionsAlong(call, indices, axis, extent);
  const last = (value: Value) => swapAxes(b, value, axis, -1);
  const options = { batchDims: data.shape.length - 1, reduction } as const;
  return last(scatterND(b, last(data), tuples, last(written), options));
};

export const picking: Readonly<Record<string, Rule>> = {
  Slice: sliceRule,
  Split: split,
  Gather: gatherRule,
  GatherElements: gatherElements,
  ScatterElements: scatterElements,
  OneHot: oneHot,
};
