import {
  type Builder,
  gatherND,
  isCallOf,
  reshape,
  reshapeOperator,
  type Shape,
  sameExtent,
  sameShape,
  scatterND,
  type Value,
} from "@espalier/core/graph";
import { type Call, fixedExtent, indexValue, input, lift, positionsOf, type Rule } from "../call.ts";
import { UnreadableError } from "../errors.ts";
import { isKnown, isTuples } from "../items.ts";
import { plainNumbers } from "../known.ts";

/** Operators that read and write at tuples of positions. */

/** Tuples of positions as a value, and the leading axes that they share with the data. */
function indexTuples(call: Call, data: Shape): { readonly indices: Value; readonly batchDims: number } {
  const batchDims = call.attributes.int("batch_dims", 0);
  const item = call.inputs[1];
  if (item !== undefined && isTuples(item)) {
    if (batchDims !== 0 || !sameExtent(data[0] ?? 1, item.within))
      throw new UnreadableError("its positions do not belong to the samples of its data");
    return { indices: item.tuples, batchDims: 1 };
  }
  const indices = input(call, 1);
  // Every position of a tuple refers to another axis, so negative ones cannot be recognised once they are computed.
  if (!isKnown(indices)) return { indices: indices as Value, batchDims };
  const size = indices.shape.at(-1)!;
  const tuples = Array.from(plainNumbers(indices), (index, at) => {
    const extent = fixedExtent(data[batchDims + (at % size)] ?? 0, "picking along the batch axis");
    return positionsOf([index], extent)[0]!;
  });
  return { indices: indexValue(call, indices.shape, tuples), batchDims };
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
  const updates = lift(call, input(call, 2));
  const apart = batchDims === 1 ? leadingAxes(call.b, data) : undefined;
  if (apart === undefined) return scatterND(call.b, data, indices, updates, { batchDims, reduction });
  // Separates axes that were only merged for ONNX, which has no batch axes here.
  const lead = apart.shape.slice(0, apart.shape.length - data.shape.length + 1);
  const split = (value: Value) => reshape(call.b, value, [...lead, ...value.shape.slice(1)]);
  const options = { batchDims: lead.length, reduction } as const;
  return reshape(call.b, scatterND(call.b, apart, split(indices), split(updates), options), data.shape);
};

export const positions: Readonly<Record<string, Rule>> = { GatherND: gatherNDRule, ScatterND: scatterNDRule };
