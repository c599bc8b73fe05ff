import {
  add,
  type Builder,
  expand,
  gatherND,
  greater,
  isBatch,
  isCallOf,
  reshape,
  reshapeOperator,
  type Shape,
  sameExtent,
  sameShape,
  scatterND,
  topKOperator,
  type Value,
  where,
} from "@espalier/core/graph";
import { type Call, fixedExtent, indexValue, input, lift, positionsOf, type Rule } from "../call.ts";
import { UnreadableError } from "../errors.ts";
import { isKnown, isTuples } from "../items.ts";
import { type Known, plainNumbers } from "../known.ts";
import { ofOneSample } from "../repeated.ts";

/** Operators that read and write at tuples of positions. */

/** Whether computed indices cannot be negative: those of a TopK, and constants, in whatever order. */
function countsFromFront({ b, context }: Call, indices: Value): boolean {
  const seen = new Map([[indices.id, indices]]);
  for (const value of seen.values()) {
    const producer = b.producer(value);
    if (producer === undefined) {
      if (!context.weights.numbersOf(value)?.data.every((n) => n >= 0)) return false;
      continue;
    }
    if (isCallOf(producer, topKOperator)) continue;
    if (producer.operator.rearranges === undefined) return false;
    for (const id of producer.inputs) seen.set(id, b.value(id));
  }
  return true;
}

/**
 * Computed indices counted from the front: in ONNX, negative ones count from the end. Of tuples, whose last axis holds a
 * position for each axis of the data, `extents` are those axes.
 */
export function fromFront(call: Call, indices: Value, extents: number | readonly number[]): Value {
  const { b, context } = call;
  if (context.weights.rolesAreTold || countsFromFront(call, indices)) return indices;
  const list = typeof extents === "number" ? [extents] : extents;
  const negative = greater(b, indexValue(call, [], [0]), indices);
  const lengths = indexValue(call, typeof extents === "number" ? [] : [list.length], list);
  return where(b, negative, add(b, indices, lengths), indices);
}

/** Tuples of positions as a value, and the leading axes that they share with the data. */
function indexTuples(call: Call, data: Shape): { readonly indices: Value; readonly batchDims: number } {
  const batchDims = call.attributes.int("batch_dims", 0);
  const item = call.inputs[1];
  if (item !== undefined && isTuples(item)) {
    if (batchDims !== 0 || !sameExtent(data[0] ?? 1, item.within))
      throw new UnreadableError("its positions do not belong to the samples of its data");
    return { indices: fromFrontOf(call, item.tuples, data.slice(1)), batchDims: 1 };
  }
  const indices = input(call, 1);
  if (!isKnown(indices))
    return { indices: fromFrontOf(call, indices as Value, data.slice(batchDims)), batchDims };
  const own = batchDims === 0 ? ofEachSample(call, indices, data) : undefined;
  if (own !== undefined) return { indices: own, batchDims: 1 };
  const size = indices.shape.at(-1)!;
  const tuples = Array.from(plainNumbers(indices), (index, at) => {
    const extent = fixedExtent(data[batchDims + (at % size)] ?? 0, "picking along the batch axis");
    return positionsOf([index], extent)[0]!;
  });
  return { indices: indexValue(call, indices.shape, tuples), batchDims };
}

function fromFrontOf(call: Call, tuples: Value, data: Shape): Value {
  const size = tuples.shape.at(-1) as number;
  const pointed = data.slice(0, size).map((extent) => fixedExtent(extent, "picking along the batch axis"));
  return fromFront(call, tuples, pointed);
}

/** Constant tuples that begin with the sample, and are otherwise alike in all samples of an opened batch, without it. */
function ofEachSample(call: Call, { shape, data: numbers }: Known, data: Shape): Value | undefined {
  const samples = call.context.opened?.size;
  const [first] = data;
  const [count, size] = [shape[0], shape.at(-1)!];
  if (samples === undefined || first === undefined || !isBatch(first) || first.batch !== 1) return undefined;
  if (count !== samples || size < 2 || shape.length < 2) return undefined;
  const part = numbers.length / samples;
  const alike = numbers.every((index, i) =>
    i % size === 0 ? index === Math.floor(i / part) : index === numbers[i % part],
  );
  if (!alike) return undefined;
  const rest = Array.from(numbers.subarray(0, part)).flatMap((index, i) =>
    i % size === 0 ? [] : positionsOf([index], fixedExtent(data[i % size]!, "picking along the batch axis")),
  );
  const one = [1, ...shape.slice(1, -1), size - 1];
  return expand(call.b, indexValue(call, one, rest), [first, ...one.slice(1)]);
}

const gatherNDRule: Rule = (call) => {
  const data = lift(call, input(call, 0));
  const { indices, batchDims } = indexTuples(call, data.shape);
  return gatherND(call.b, data, indices, batchDims);
};

/** A value before its leading axes were merged into one; undefined if they were not. */
function leadingAxes(b: Builder, x: Value): Value | undefined {
  const producer = b.producer(x);
  if (!isCallOf(producer, reshapeOperator)) return undefined;
  const before = b.value(producer.inputs[0]!);
  const more = before.shape.length - x.shape.length;
  const rest = x.shape.length - 1;
  return more > 0 && sameShape(before.shape.slice(before.shape.length - rest), x.shape.slice(1))
    ? before
    : undefined;
}

const scatterNDRule: Rule = (call) => {
  const data = lift(call, input(call, 0));
  const reduction = call.attributes.text("reduction", "none");
  if (reduction !== "none" && reduction !== "add")
    throw new UnreadableError(`its reduction ${reduction.slice(0, 20)} is not supported`);
  const { indices, batchDims } = indexTuples(call, data.shape);
  const picked = [
    ...indices.shape.slice(0, -1),
    ...data.shape.slice(batchDims + (indices.shape.at(-1) as number)),
  ];
  const updates = expand(call.b, lift(call, ofOneSample(call, input(call, 2), picked)), picked);
  const apart = batchDims === 1 ? leadingAxes(call.b, data) : undefined;
  if (apart === undefined) return scatterND(call.b, data, indices, updates, { batchDims, reduction });
  // Separates axes that were only merged for ONNX, which has no batch axes here.
  const lead = apart.shape.slice(0, apart.shape.length - data.shape.length + 1);
  const split = (value: Value) => reshape(call.b, value, [...lead, ...value.shape.slice(1)]);
  const options = { batchDims: lead.length, reduction } as const;
  return reshape(call.b, scatterND(call.b, apart, split(indices), split(updates), options), data.shape);
};

export const positions: Readonly<Record<string, Rule>> = { GatherND: gatherNDRule, ScatterND: scatterNDRule };
