import {
  type Builder,
  broadcastShapes,
  type Extent,
  elementsOf,
  expand,
  factorOf,
  isBatch,
  printShape,
  reshape,
  type Shape,
  sameShape,
  transpose,
  type Value,
} from "@espalier/core/graph";
import { concatKnown, takeKnown, transposeKnown } from "../arrays.ts";
import {
  axisOf,
  type Call,
  input,
  isPlain,
  knownInput,
  knownIntegers,
  knownNumber,
  lift,
  needed,
  type Rule,
  regroup,
  shapeOf,
} from "../call.ts";
import { UnreadableError } from "../errors.ts";
import { type Item, isValue } from "../items.ts";
import { expandTo, join, permute, reshapeTarget } from "../layout.ts";
import { ofOneSample, repeated } from "../repeated.ts";
import { extentsOf } from "./constants.ts";

/** Operators that move elements and change none. */

const reshapeRule: Rule = (call) => {
  const item = input(call, 0);
  const target = extentsOf(needed(knownInput(call, 1, "shape"), "shape"));
  return regroup(call, item, targetOf(call, item, target, call.attributes.int("allowzero", 0) !== 0));
};

/** The target of a Reshape. If the file was made for one batch size, the batch is put back in. */
function targetOf(
  { context: { opened } }: Call,
  item: Item,
  target: readonly Extent[],
  literalZero: boolean,
): Shape {
  const from = shapeOf(item);
  const copied = target.some((extent, axis) => extent === 0 && !literalZero && isBatch(from[axis] ?? 0));
  if (opened === undefined || !isValue(item) || !from.some(isBatch) || target.some(isBatch) || copied)
    return reshapeTarget(from, target, literalZero);
  const then = from.map((extent) => (isBatch(extent) ? extent.batch * opened.size : extent));
  const shape = opened.place(item, reshapeTarget(then, target, literalZero) as readonly number[]);
  if (shape === undefined)
    throw new UnreadableError(`its shape [${target.join(", ")}] does not say where the batch goes`);
  return shape;
}

const flatten: Rule = (call) => {
  const item = input(call, 0);
  const shape = shapeOf(item);
  const given = call.attributes.int("axis", 1);
  const axis = given === shape.length ? given : axisOf(given, shape.length);
  return regroup(call, item, [elementsOf(shape.slice(0, axis)), elementsOf(shape.slice(axis))]);
};

const squeeze: Rule = (call) => {
  const item = input(call, 0);
  const shape = shapeOf(item);
  const axes = knownIntegers(call, 1, "axes")?.map((axis) => axisOf(axis, shape.length));
  const gone = axes ?? shape.flatMap((extent, axis) => (extent === 1 ? [axis] : []));
  const kept = shape.filter((_, axis) => !gone.includes(axis));
  const long = gone.find((axis) => shape[axis] !== 1);
  if (long === undefined) return regroup(call, item, kept);
  // The file was made for a single sample: the batch goes where a Reshape would put it.
  const [extent, { opened }] = [shape[long]!, call.context];
  if (opened?.size !== 1 || !isBatch(extent) || extent.batch !== 1)
    throw new UnreadableError(`axis ${long} of ${printShape(shape)} does not have length 1`);
  return regroup(call, item, targetOf(call, item, kept, true));
};

const unsqueeze: Rule = (call) => {
  const item = input(call, 0);
  const axes = needed(knownIntegers(call, 1, "axes"), "axes");
  const rank = shapeOf(item).length + axes.length;
  const added = new Set(axes.map((axis) => axisOf(axis, rank)));
  const rest = [...shapeOf(item)];
  const shape = Array.from({ length: rank }, (_, axis): Extent => (added.has(axis) ? 1 : rest.shift()!));
  if (shape.includes(undefined as never))
    throw new UnreadableError(`its axes [${axes.join(", ")}] contain one twice`);
  return regroup(call, item, shape);
};

const transposeRule: Rule = (call) => {
  const item = input(call, 0);
  const shape = shapeOf(item);
  const perm = call.attributes.ints("perm") ?? shape.map((_, axis) => shape.length - 1 - axis);
  if (
    perm.length !== shape.length ||
    new Set(perm).size !== perm.length ||
    perm.some((axis) => shape[axis] === undefined)
  )
    throw new UnreadableError(
      `[${perm.slice(0, 16).join(", ")}] is not an order of its ${shape.length} axes`,
    );
  if (isPlain(call, item)) return transposeKnown(item, perm);
  const x = lift(call, item);
  return call.context.weights.rolesAreTold ? transpose(call.b, x, perm) : permute(call.b, x, perm);
};

const expandRule: Rule = (call) => {
  const given = extentsOf(needed(knownInput(call, 1, "shape"), "shape"));
  const item = ofOneSample(call, input(call, 0), given);
  const from = shapeOf(item);
  const lead = given.length - from.length;
  // If the shape was written for one batch size, the batch axis already has its length.
  const target = given.map((extent, axis) => {
    const own = from[axis - lead];
    const frozen =
      own !== undefined &&
      isBatch(own) &&
      call.context.opened !== undefined &&
      extent === own.batch * call.context.opened.size;
    return frozen ? own : extent;
  });
  const shape = broadcastShapes(from, target);
  if (shape === undefined)
    throw new UnreadableError(`${printShape(from)} cannot be repeated to ${printShape(target)}`);
  const fixed = shape.every(
    (extent, axis) => !isBatch(extent) || (from[axis - shape.length + from.length] ?? 1) === 1,
  );
  if (isPlain(call, item) && fixed) return repeated(item, shape);
  return expandTo(call.b, lift(call, item), shape);
};

const tile: Rule = (call) => {
  const item = input(call, 0);
  const repeats = extentsOf(needed(knownInput(call, 1, "repeats"), "repeats"));
  const from = shapeOf(item);
  if (repeats.length !== from.length)
    throw new UnreadableError(`it repeats ${repeats.length} axes of ${from.length}`);
  const negative = repeats.find((count) => factorOf(count) < 0);
  if (negative !== undefined) throw new UnreadableError(`it cannot repeat an axis ${negative} times`);
  if (isPlain(call, item) && repeats.every((count, axis) => !isBatch(count) || from[axis] === 1)) {
    const once = repeats.reduce<typeof item>(
      (whole, count, axis) => (isBatch(count) ? whole : concatOrEmpty(whole, axis, count)),
      item,
    );
    return repeated(
      once,
      once.shape.map((extent, axis) => (isBatch(repeats[axis]!) ? repeats[axis]! : extent)),
    );
  }
  const { b } = call;
  return repeats.reduce<Value>((x, count, axis) => repeatAxis(b, x, axis, count), lift(call, item));
};

function concatOrEmpty(x: Parameters<typeof takeKnown>[0], axis: number, count: number) {
  const extent = x.shape[axis]!;
  const positions = Array.from({ length: Math.min(extent * count, 2 ** 22 + 1) }, (_, i) => i % extent);
  return takeKnown(x, axis, positions);
}

function repeatAxis(b: Builder, x: Value, axis: number, count: Extent): Value {
  if (count === 1) return x;
  const { shape } = x;
  const extent = shape[axis]!;
  if (extent === 1) return expand(b, x, shape.with(axis, count));
  const apart = reshape(b, x, shape.toSpliced(axis, 0, 1));
  const repeated = expand(b, apart, shape.toSpliced(axis, 0, count));
  return reshape(b, repeated, shape.with(axis, elementsOf([count, extent])));
}

const concatRule: Rule = (call) => {
  const items = call.inputs.map((_, i) => input(call, i));
  const [first] = items;
  if (first === undefined) throw new UnreadableError("it has no inputs");
  const rank = shapeOf(first).length;
  const axis = axisOf(call.attributes.int("axis"), rank);
  if (items.some((item) => shapeOf(item).length !== rank))
    throw new UnreadableError("its inputs differ in their number of axes");
  if (items.every((item) => isPlain(call, item))) {
    const fits = items.every((item) =>
      sameShape(item.shape.with(axis, 0), (first as typeof item).shape.with(axis, 0)),
    );
    if (!fits) throw new UnreadableError("its inputs do not fit each other");
    return concatKnown(items, axis);
  }
  const parts = items.filter((item) => shapeOf(item)[axis] !== 0).map((item) => lift(call, item));
  return join(call.b, parts, axis, call.context.opened !== undefined);
};

/** Changes nothing: another name for the same value. A weight under another name is another weight. */
const identity: Rule = (call) => input(call, 0);

const dropout: Rule = (call) => {
  const training = knownNumber(call, 2, "training mode") ?? 0;
  if (training !== 0 && (knownNumber(call, 1, "ratio") ?? 0.5) !== 0)
    throw new UnreadableError(
      "it drops values, as in training. Export the model in evaluation mode (model.eval())",
    );
  if (call.wants[1]) throw new UnreadableError("its mask is used, which is not supported");
  return input(call, 0);
};

/** Turns channels into blocks of pixels, and back. */
const depthToSpace: Rule = (call) => {
  const x = lift(call, input(call, 0));
  const size = call.attributes.int("blocksize");
  const [n, channels, height, width] = x.shape as readonly [Extent, number, number, number];
  const inner = channels / (size * size);
  if (x.shape.length !== 4 || !Number.isInteger(inner))
    throw new UnreadableError("its channels cannot be divided into blocks of that size");
  const columnsFirst = call.attributes.text("mode", "DCR") === "CRD";
  const apart = columnsFirst ? [n, inner, size, size, height, width] : [n, size, size, inner, height, width];
  const order = columnsFirst ? [0, 1, 4, 2, 5, 3] : [0, 3, 4, 1, 5, 2];
  const moved = permute(call.b, reshape(call.b, x, apart), order);
  return reshape(call.b, moved, [n, inner, height * size, width * size]);
};

const spaceToDepth: Rule = (call) => {
  const x = lift(call, input(call, 0));
  const size = call.attributes.int("blocksize");
  const [n, channels, height, width] = x.shape as readonly [Extent, number, number, number];
  if (x.shape.length !== 4 || height % size !== 0 || width % size !== 0)
    throw new UnreadableError("its axes are not multiples of the block size");
  const [rows, columns] = [height / size, width / size];
  const apart = reshape(call.b, x, [n, channels, rows, size, columns, size]);
  // The order of blocks of channels and places in a block of pixels, by mode (opset 22).
  const channelsFirst = call.attributes.text("mode", "DCR") === "CRD";
  const moved = permute(call.b, apart, channelsFirst ? [0, 1, 3, 5, 2, 4] : [0, 3, 5, 1, 2, 4]);
  return reshape(call.b, moved, [n, channels * size * size, rows, columns]);
};

export const layout: Readonly<Record<string, Rule>> = {
  Identity: identity,
  Dropout: dropout,
  Reshape: reshapeRule,
  Flatten: flatten,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Transpose: transposeRule,
  Expand: expandRule,
  Tile: tile,
  Concat: concatRule,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
};
