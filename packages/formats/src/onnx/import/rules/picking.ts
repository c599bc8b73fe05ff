import {
  add,
  expand,
  gather,
  gatherND,
  greater,
  isBatch,
  type PadMode,
  pad,
  printShape,
  reshape,
  type Shape,
  sameShape,
  scatterND,
  slice,
  swapAxes,
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
  knownNumber,
  lift,
  type Rule,
  regroup,
  shapeOf,
} from "../call.ts";
import { type Item, isKnown } from "../items.ts";
import { plainNumbers } from "../known.ts";
import { join, takeAlong } from "../layout.ts";

/** Operators that pick positions, or add some at the borders. */

/** Positions that ONNX's Slice takes of an axis. */
function slicePositions(extent: number, start: number, end: number, step: number): number[] {
  const clamp = (at: number, low: number, high: number) =>
    Math.min(Math.max(at < 0 ? at + extent : at, low), high);
  if (step === 0) throw new RangeError("its step is 0");
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
  const starts = knownIntegers(call, 1, "starts")!;
  const ends = knownInput(call, 2, "ends")!;
  const axes = knownIntegers(call, 3, "axes") ?? starts.map((_, i) => i);
  const steps = knownIntegers(call, 4, "steps") ?? starts.map(() => 1);
  if (ends.data.length !== starts.length || axes.length !== starts.length || steps.length !== starts.length)
    throw new RangeError("its starts, ends, axes and steps differ in number");
  starts.forEach((start, i) => {
    const axis = axisOf(axes[i]!, rank);
    const extent = shapeOf(item)[axis]!;
    const end = ends.data[i]!;
    if (isBatch(extent)) {
      const toEnd = end >= 2 ** 31 - 1 || (ends.powers?.[i] === 1 && end >= extent.batch);
      const { opened } = call.context;
      const frozen = opened !== undefined && end >= extent.batch * opened.size;
      if (start !== 0 || steps[i] !== 1 || !(toEnd || frozen))
        throw new RangeError(
          `axis ${axis} of ${printShape(shapeOf(item))} cannot be cut: it would pick samples of a batch`,
        );
      return;
    }
    if ((ends.powers?.[i] ?? 0) !== 0) throw new RangeError("where it ends would depend on the batch size");
    item = take(call, item, axis, slicePositions(extent, start, end, steps[i]!));
  });
  return item;
};

/** Positions of an axis, of a constant or a value. */
function take(call: Call, item: Item, axis: number, positions: readonly number[]): Item {
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
    throw new RangeError(
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

/** Indices counted from the front. */
function positionsOf(indices: ArrayLike<number>, extent: number): number[] {
  return Array.from(indices, (index) => {
    const position = index < 0 ? index + extent : index;
    if (!(Number.isInteger(position) && position >= 0 && position < extent))
      throw new RangeError(`its index ${index} is outside an axis of ${extent}`);
    return position;
  });
}

/** Computed indices counted from the front: to ONNX negative ones count from the end. Those of a TopK never are. */
function fromFront(call: Call, indices: Value, extent: number): Value {
  const { b } = call;
  let source = b.producer(indices);
  while (source?.operator.rearranges !== undefined) source = b.producer(b.value(source.inputs[0]!));
  if (source?.operator.name === "TopK") return indices;
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
    throw new RangeError(
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

/** Indices as a value, counted from the front where they are known. */
function indexTuples(call: Call, i: number, data: Shape): Value {
  const indices = input(call, i);
  // Every position of a tuple points into an axis of its own: negative ones cannot be told apart once they are computed.
  if (!isKnown(indices)) return indices as Value;
  const size = indices.shape.at(-1)!;
  const batchDims = call.attributes.int("batch_dims", 0);
  const tuples = Array.from(plainNumbers(indices), (index, at) => {
    const extent = fixedExtent(data[batchDims + (at % size)] ?? 0, "picking along the batch axis");
    return positionsOf([index], extent)[0]!;
  });
  return indexValue(call, indices.shape, tuples);
}

const gatherNDRule: Rule = (call) => {
  const data = lift(call, input(call, 0));
  return gatherND(call.b, data, indexTuples(call, 1, data.shape), call.attributes.int("batch_dims", 0));
};

const scatterNDRule: Rule = (call) => {
  const data = lift(call, input(call, 0));
  const reduction = call.attributes.text("reduction", "none");
  if (reduction !== "none" && reduction !== "add")
    throw new RangeError(`its reduction ${reduction.slice(0, 20)} is not supported`);
  return scatterND(call.b, data, indexTuples(call, 1, data.shape), lift(call, input(call, 2)), { reduction });
};

const padRule: Rule = (call) => {
  const item = input(call, 0);
  const rank = shapeOf(item).length;
  const pads = knownIntegers(call, 1, "pads")!;
  const value = knownNumber(call, 2, "value") ?? 0;
  const axes = (knownIntegers(call, 3, "axes") ?? shapeOf(item).map((_, i) => i)).map((axis) =>
    axisOf(axis, rank),
  );
  const mode = call.attributes.text("mode", "constant");
  if (pads.length !== 2 * axes.length)
    throw new RangeError(`it has ${pads.length} pads for ${axes.length} axes`);
  return axes.reduce<Item>((x, axis, i) => {
    const [before, after] = [pads[i]!, pads[i + axes.length]!];
    return before === 0 && after === 0 ? x : padAxis(call, x, { axis, before, after, mode, value });
  }, item);
};

interface Padding {
  readonly axis: number;
  readonly before: number;
  readonly after: number;
  readonly mode: string;
  readonly value: number;
}

function padAxis(call: Call, item: Item, { axis, before, after, mode, value }: Padding): Item {
  const { b } = call;
  const extent = fixedExtent(shapeOf(item)[axis]!, "padding the batch axis");
  const from = Math.min(extent, Math.max(0, -before));
  const to = Math.max(from, extent - Math.max(0, -after));
  const x = lift(
    call,
    take(
      call,
      item,
      axis,
      Array.from({ length: to - from }, (_, i) => from + i),
    ),
  );
  const [lead, tail] = [Math.max(0, before), Math.max(0, after)];
  if (lead + tail > 2 ** 24) throw new RangeError(`it pads an axis by ${lead + tail}`);
  const size = to - from;
  if (mode === "reflect") {
    const period = Math.max(1, 2 * (size - 1));
    const positions = Array.from({ length: lead + size + tail }, (_, i) => {
      const at = (((i - lead) % period) + period) % period;
      return at < size ? at : period - at;
    });
    return take(call, x, axis, positions);
  }
  if (mode !== "constant" && mode !== "edge" && mode !== "wrap")
    throw new RangeError(`its mode ${mode.slice(0, 20)} is not supported`);
  if (mode !== "constant" || value === 0) return pad(b, x, axis, lead, tail, mode as PadMode);
  const border = (count: number) =>
    count === 0 ? [] : [expand(b, call.context.weights.number(value), x.shape.with(axis, count))];
  return join(b, [...border(lead), x, ...border(tail)], axis, false);
}

export const picking: Readonly<Record<string, Rule>> = {
  Slice: sliceRule,
  Split: split,
  Gather: gatherRule,
  GatherElements: gatherElements,
  GatherND: gatherNDRule,
  ScatterND: scatterNDRule,
  Pad: padRule,
};
