import {
  add,
  cast,
  concat,
  equal,
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
  sub,
  type Value,
  where,
} from "@espalier/core/graph";
import { indexOf } from "../arrays.ts";
import {
  axisOf,
  type Call,
  fixedExtent,
  indexValue,
  input,
  knownInput,
  knownIntegers,
  knownNumber,
  lift,
  needed,
  operandItem,
  type Rule,
} from "../call.ts";
import { UnreadableError } from "../errors.ts";
import {
  type Item,
  isKnown,
  isListed,
  isListedShape,
  isRepeated,
  isTruth,
  isValue,
  type Listed,
  type ListedShape,
} from "../items.ts";
import { build, type Known, scalar } from "../known.ts";
import { byElement, spreadOut } from "../repeated.ts";
import { listOf } from "../sizes.ts";
import { knownKind } from "./constants.ts";
import { fromFront } from "./positions.ts";

/**
 * Lists of the positions where a truth value holds, which indexing with a mask gives. Only reading and writing at these
 * positions is supported: then the order of the list, and how long it is, does not matter.
 */

const elsewhere =
  "it computes with a list of the positions where a mask holds, whose length depends on the input; it can only serve to read and write there. Export the model with torch.where in place of indexing by the mask";

const nonZero: Rule = (call) => {
  const item = operandItem(call, 0);
  if (isKnown(item)) return positionsIn(item);
  const where = isTruth(item) ? item.truth : unlikeZero(call, lift(call, item));
  const columns = where.shape.map((_, axis) => axis);
  return { where, columns, listed: [columns.length, undefined] };
};

function positionsIn({ shape, data }: Known): Known {
  const found = Array.from(data.keys()).filter((i) => data[i] !== 0);
  const positions = found.map((i) => indexOf(shape, i));
  return build("int", [Math.max(1, shape.length), found.length], (i) => {
    const index = positions[i % found.length]!;
    return [index[Math.floor(i / found.length)] ?? 0, 0];
  });
}

function unlikeZero(call: Call, x: Value): Value {
  const zero = x.dtype === "int32" ? call.context.weights.integer(0) : call.context.weights.number(0);
  return sub(call.b, call.context.weights.number(1), equal(call.b, x, zero));
}

/** The same list in another shape. */
function reshaped(list: Listed, shape: Listed["listed"]): Listed {
  const extents = shape.filter((extent) => extent !== 1);
  const whole = list.columns.length === 1 ? extents.length === 1 : sameRow(extents, withoutOnes(list.listed));
  if (!whole || !extents.includes(undefined)) throw new UnreadableError(elsewhere);
  return { ...list, listed: shape };
}

const withoutOnes = (shape: Listed["listed"]) => shape.filter((extent) => extent !== 1);
const sameRow = (x: Listed["listed"], y: Listed["listed"]) =>
  x.length === y.length && x.every((extent, i) => extent === y[i]);

/** The axis along which the columns lie. */
function columnAxis({ listed, columns }: Listed): number {
  const axis = listed.indexOf(columns.length);
  if (axis < 0) throw new UnreadableError(elsewhere);
  return axis;
}

/** The column as a value, in the shape of the truth value. */
function columnValue(call: Call, { where }: Listed, column: number | Value): Value {
  if (typeof column !== "number") return column;
  const extent = fixedExtent(where.shape[column]!, "a position along the batch axis");
  const shape = where.shape.map((_, axis) => (axis === column ? extent : 1));
  const along = indexValue(
    call,
    shape as number[],
    listOf(extent, (i) => i),
  );
  return expand(call.b, along, where.shape);
}

/** Index tuples for every position, without the leading axes that they share with the data. */
function tuples(call: Call, list: Listed, data: Shape): { batchDims: number; indices: Value | undefined } {
  const { where: of, columns } = list;
  const shared = columns.findIndex((column, i) => column !== i || !sameExtent(data[i] ?? 1, of.shape[i]!));
  const batchDims = shared < 0 ? columns.length : shared;
  const rest = columns.slice(batchDims).map((column, i) => {
    const at = columnValue(call, list, column);
    // What was computed for other positions may point anywhere.
    const front = () =>
      fromFront(call, at, fixedExtent(data[batchDims + i] ?? 0, "picking along the batch axis"));
    const safe = typeof column === "number" ? at : where(call.b, of, front(), indexValue(call, [], [0]));
    return reshape(call.b, safe, [...of.shape, 1]);
  });
  if (rest.length === 0) return { batchDims, indices: undefined };
  return { batchDims, indices: concat(call.b, rest, of.shape.length) };
}

function dataOf(call: Call): Value {
  const item = call.inputs[0];
  if (item !== undefined && isRepeated(item)) {
    const spread = spreadOut(call, item);
    return isTruth(spread) ? spread.truth : (spread as Value);
  }
  const data = operandItem(call, 0);
  return isTruth(data) ? data.truth : lift(call, data);
}

function gatherListed(call: Call, list: Listed): Item {
  const isBoolean = isTruthful(call.inputs[0]);
  const data = dataOf(call);
  if (call.attributes.int("batch_dims", 0) !== 0 || columnAxis(list) !== 1 || isBoolean)
    throw new UnreadableError(elsewhere);
  const { batchDims, indices } = tuples(call, list, data.shape);
  const read = indices === undefined ? data : gatherND(call.b, data, indices, batchDims);
  if (!sameShape(read.shape, list.where.shape)) throw new UnreadableError(elsewhere);
  return { where: list.where, columns: [read], listed: [undefined] };
}

const isTruthful = (item: Item | undefined) =>
  item !== undefined &&
  (isTruth(item) ||
    (isKnown(item) && item.kind === "bool") ||
    (isRepeated(item) && item.repeats.kind === "bool"));

function scatterListed(call: Call, list: Listed): Item {
  const { b, context } = call;
  const { where: of } = list;
  const data = dataOf(call);
  const reduction = call.attributes.text("reduction", "none");
  if (columnAxis(list) !== 1 || (reduction !== "none" && reduction !== "add"))
    throw new UnreadableError(elsewhere);
  const updates = expand(b, updatesOf(call, list), of.shape);
  const { batchDims, indices } = tuples(call, list, data.shape);
  if (!sameShape(data.shape.slice(list.columns.length), [])) throw new UnreadableError(elsewhere);
  const none = data.dtype === "int32" ? context.weights.integer(0) : context.weights.number(0);
  // Every position writes, those outside the list a zero that is added.
  const total = (x: Value, start: Value) => {
    const listed = where(b, of, x, none);
    if (indices === undefined) return add(b, start, listed);
    return scatterND(b, start, indices, listed, { batchDims, reduction: "add" });
  };
  const written = () => {
    if (reduction === "add") return total(updates, data);
    const zeros = expand(b, none, data.shape);
    const isWritten =
      indices === undefined
        ? of
        : scatterND(b, expand(b, context.weights.number(0), data.shape), indices, of, {
            batchDims,
            reduction: "add",
          });
    return where(b, greater(b, isWritten, context.weights.number(0)), total(updates, zeros), data);
  };
  return isTruthful(call.inputs[0]) ? { truth: written() } : written();
}

/** The values that a ScatterND writes, broadcast to the shape of the truth value. */
function updatesOf(call: Call, list: Listed): Value {
  const item = call.inputs[2];
  if (item !== undefined && isListed(item)) {
    const [column, more] = item.columns;
    if (item.where.id !== list.where.id || item.listed.length !== 1 || more !== undefined)
      throw new UnreadableError(elsewhere);
    return columnValue(call, item, column!);
  }
  const given = operandItem(call, 2);
  // As many numbers as there are positions cannot be known.
  if (!isKnown(given) || given.data.length !== 1) throw new UnreadableError(elsewhere);
  return reshape(call.b, lift(call, given), []);
}

const rules: Readonly<Record<string, (call: Call, list: Listed) => Item | readonly Item[]>> = {
  Identity: (_call, list) => list,
  Cast(call, list) {
    const kind = knownKind(call.attributes.int("to"));
    if (list.columns.every((column) => typeof column === "number") && kind === "int") return list;
    if (kind === "bool") throw new UnreadableError(elsewhere);
    const columns = list.columns.map((column) =>
      cast(call.b, columnValue(call, list, column), kind === "int" ? "int32" : "float32"),
    );
    return { ...list, columns };
  },
  Shape(call, list) {
    const rank = list.listed.length;
    if (call.attributes.int("start", 0) !== 0 || call.attributes.int("end", rank) !== rank)
      throw new UnreadableError(elsewhere);
    return { shapeOf: list };
  },
  Transpose(call, list) {
    const perm = call.attributes.ints("perm") ?? list.listed.map((_, axis) => list.listed.length - 1 - axis);
    return { ...list, listed: perm.map((axis) => list.listed[axis]) };
  },
  Squeeze(call, list) {
    const rank = list.listed.length;
    const axes = knownIntegers(call, 1, "axes")?.map((axis) => axisOf(axis, rank));
    return reshaped(
      list,
      list.listed.filter((extent, axis) => !(axes?.includes(axis) ?? extent === 1)),
    );
  },
  Unsqueeze(call, list) {
    const axes = needed(knownIntegers(call, 1, "axes"), "axes");
    const rank = list.listed.length + axes.length;
    const added = new Set(axes.map((axis) => axisOf(axis, rank)));
    const rest = list.listed.values();
    return reshaped(
      list,
      Array.from({ length: rank }, (_, axis) => (added.has(axis) ? 1 : rest.next().value)),
    );
  },
  Reshape(call, list) {
    const target = needed(knownIntegers(call, 1, "shape"), "shape");
    call.attributes.int("allowzero", 0);
    return reshaped(
      list,
      target.map((extent, axis) => (extent === -1 ? undefined : extent === 0 ? list.listed[axis] : extent)),
    );
  },
  Slice(call, list) {
    const [starts, ends, axes, steps] = ["starts", "ends", "axes", "steps"].map((name, i) =>
      knownIntegers(call, i + 1, name),
    );
    const axis = columnAxis(list);
    const rank = list.listed.length;
    if (starts?.length !== 1 || axisOf(axes?.[0] ?? 0, rank) !== axis || (steps?.[0] ?? 1) !== 1)
      throw new UnreadableError(elsewhere);
    return withColumns(list, axis, list.columns.slice(starts[0], ends![0]));
  },
  Split(call, list) {
    const axis = columnAxis(list);
    const sizes = knownIntegers(call, 1, "sizes") ?? list.columns.map(() => 1);
    if (
      axisOf(call.attributes.int("axis", 0), list.listed.length) !== axis ||
      sizes.length !== call.wants.length
    )
      throw new UnreadableError(elsewhere);
    call.attributes.int("num_outputs", 0);
    let end = 0;
    return sizes.map((size) => {
      end += size;
      return withColumns(list, axis, list.columns.slice(end - size, end));
    });
  },
  Gather(call, list) {
    const axis = columnAxis(list);
    const indices = needed(knownInput(call, 1, "indices"), "indices");
    if (axisOf(call.attributes.int("axis", 0), list.listed.length) !== axis || indices.shape.length > 1)
      throw new UnreadableError(elsewhere);
    const columns = Array.from(indices.data, (i) => list.columns.at(i)!);
    const taken = withColumns(list, axis, columns);
    return indices.shape.length === 1 ? taken : { ...taken, listed: list.listed.toSpliced(axis, 1) };
  },
  Concat(call, list) {
    const axis = axisOf(call.attributes.int("axis"), list.listed.length);
    const parts = call.inputs.map((item) => {
      if (
        item === undefined ||
        !isListed(item) ||
        item.where.id !== list.where.id ||
        columnAxis(item) !== axis
      )
        throw new UnreadableError(elsewhere);
      return item;
    });
    return withColumns(
      list,
      axis,
      parts.flatMap(({ columns }) => columns),
    );
  },
};

function withColumns(list: Listed, axis: number, columns: Listed["columns"]): Listed {
  return { ...list, columns, listed: list.listed.with(axis, columns.length) };
}

/** A number, repeated as often as there are positions. */
function repeatedAlong(call: Call, list: Listed): Listed {
  const number =
    call.operator === "Expand"
      ? knownNumber(call, 0, "input")
      : (call.attributes.tensor("value")?.data[0] ?? 0);
  const kind =
    call.operator === "Expand"
      ? (input(call, 0) as Known).kind
      : (call.attributes.tensor("value")?.kind ?? "float");
  if (number === undefined || list.listed.length !== 1) throw new UnreadableError(elsewhere);
  return { ...list, columns: [lift(call, scalar(kind, number))] };
}

/** The result of arithmetic with lists of the same positions, computed for all of them. */
function byPosition(
  call: Call,
  list: Listed,
  run: (inputs: Call["inputs"]) => readonly (Item | undefined)[],
) {
  const inputs = call.inputs.map((item) => {
    if (item === undefined || !isListed(item)) {
      if (item !== undefined && !(isKnown(item) && item.data.length === 1))
        throw new UnreadableError(elsewhere);
      return item;
    }
    if (item.where.id !== list.where.id || !sameRow(item.listed, list.listed) || item.columns.length !== 1)
      throw new UnreadableError(elsewhere);
    return columnValue(call, item, item.columns[0]!);
  });
  return run(inputs).map((item): Item | undefined => {
    if (item === undefined) return undefined;
    if (!isValue(item)) throw new UnreadableError(elsewhere);
    return { ...list, columns: [item] };
  });
}

/** The number of positions at which a mask holds, which PyTorch sums; undefined for any other sum. */
function positionsCounted(call: Call): ListedShape | undefined {
  const [item] = call.inputs;
  if (call.operator !== "ReduceSum" || item === undefined || !isValue(item) || item.dtype !== "int32")
    return undefined;
  const axes = call.attributes.ints("axes") ?? knownIntegers(call, 1, "axes") ?? [];
  if ((axes.length > 0 && axes.length < item.shape.length) || !item.shape.some(isBatch)) return undefined;
  call.attributes.int("keepdims", 1);
  call.attributes.int("noop_with_empty_axes", 0);
  let where: Value = item;
  for (;;) {
    const producer = call.b.producer(where);
    if (producer?.operator.name !== "Cast" && !isCallOf(producer, reshapeOperator)) break;
    where = call.b.value(producer.inputs[0]!);
  }
  return { shapeOf: { where, columns: [], listed: [undefined] } };
}

/** The result of an operator that computes with the shape of a list: a list that is as long, or the number of positions. */
function ofShape(call: Call, shape: ListedShape): Item {
  const { shapeOf: list } = shape;
  const [first] = call.inputs;
  if (first === shape) {
    if (call.operator === "ConstantOfShape") return repeatedAlong(call, list);
    const count: ListedShape = { shapeOf: { ...list, listed: [undefined] } };
    if (list.listed.length === 1 && ["Cast", "Squeeze", "Unsqueeze", "Identity"].includes(call.operator)) {
      for (const name of ["to", "axes"]) call.attributes.get(name);
      return count;
    }
    const axis = call.operator === "Gather" ? knownNumber(call, 1, "indices") : undefined;
    if (axis !== undefined && call.attributes.int("axis", 0) === 0 && list.listed.at(axis) === undefined)
      return count;
    throw new UnreadableError(elsewhere);
  }
  if (first !== undefined && isListed(first)) {
    const [start] = call.operator === "Slice" ? (knownIntegers(call, 1, "starts") ?? []) : [];
    const whole = call.operator === "Expand" || (start === 0 && call.inputs[2] === shape);
    if (whole && first.where.id === list.where.id && first.listed.length === 1) return first;
  } else if (call.operator === "Expand") return repeatedAlong(call, list);
  throw new UnreadableError(elsewhere);
}

/** The results of an operator some of whose inputs are lists of positions; undefined for any other. */
export function ofListed(
  call: Call,
  run: (inputs: Call["inputs"]) => readonly (Item | undefined)[],
): readonly (Item | undefined)[] | undefined {
  const given = call.inputs.filter((item) => item !== undefined);
  const shape = given.find(isListedShape);
  if (shape !== undefined) return [ofShape(call, shape)];
  const list = given.find(isListed);
  if (list === undefined) {
    const counted = positionsCounted(call);
    return counted && [counted];
  }
  const [first, second] = call.inputs;
  if (second === list && call.operator === "GatherND") return [gatherListed(call, list)];
  if (second === list && call.operator === "ScatterND") return [scatterListed(call, list)];
  const rule = Object.hasOwn(rules, call.operator) ? rules[call.operator] : undefined;
  if (rule !== undefined && first === list) return [rule(call, list)].flat();
  if (!byElement.has(call.operator)) throw new UnreadableError(elsewhere);
  return byPosition(call, list, run);
}

export const positionLists: Readonly<Record<string, Rule>> = { NonZero: nonZero };
