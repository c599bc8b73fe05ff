import { reshape } from "@espalier/core/graph";
import {
  axisOf,
  type Call,
  fixedExtent,
  input,
  knownInput,
  knownNumber,
  lift,
  needed,
  type Rule,
  shapeOf,
} from "../call.ts";
import { UnreadableError } from "../errors.ts";
import { type Item, isSequence } from "../items.ts";
import { scalar } from "../known.ts";
import { join, sliceAlong } from "../layout.ts";
import { listOf, maxParts } from "../sizes.ts";

/** Lists of values with known length: built and taken apart while the file is read. */

function sequenceInput(call: Call): readonly Item[] {
  const [item] = call.inputs;
  if (item === undefined || !isSequence(item)) throw new UnreadableError("its input is not a list of values");
  return item.items;
}

const at: Rule = (call) => {
  const items = sequenceInput(call);
  const position = needed(knownNumber(call, 1, "position"), "position");
  const item = items.at(position);
  if (item === undefined)
    throw new UnreadableError(`a list of ${items.length} values has no position ${position}`);
  return item;
};

const split: Rule = (call) => {
  const x = lift(call, input(call, 0));
  const axis = axisOf(call.attributes.int("axis", 0), x.shape.length);
  const extent = fixedExtent(x.shape[axis]!, "splitting the batch axis");
  const given = knownInput(call, 1, "split");
  const each = given?.shape.length === 0 ? given.data[0]! : 1;
  if (!(each >= 1)) throw new UnreadableError("its parts are empty");
  const sizes =
    given !== undefined && given.shape.length > 0
      ? Array.from(given.data)
      : listOf(Math.ceil(extent / each), (i) => Math.min(each, extent - i * each), maxParts);
  const kept = call.attributes.int("keepdims", 1) !== 0 || given !== undefined;
  let start = 0;
  const items = sizes.map((size) => {
    const part = sliceAlong(call.b, x, axis, start, start + size);
    start += size;
    return kept ? part : reshape(call.b, part, part.shape.toSpliced(axis, 1));
  });
  return { items };
};

const concat: Rule = (call) => {
  const items = sequenceInput(call);
  const [first] = items;
  if (first === undefined) throw new UnreadableError("its list is empty");
  const added = call.attributes.int("new_axis", 0) !== 0;
  const axis = axisOf(call.attributes.int("axis"), shapeOf(first).length + (added ? 1 : 0));
  const parts = items.map((item) => {
    const value = lift(call, item);
    return added ? reshape(call.b, value, value.shape.toSpliced(axis, 0, 1)) : value;
  });
  return join(call.b, parts, axis, call.context.opened !== undefined);
};

export const sequences: Readonly<Record<string, Rule>> = {
  SequenceConstruct: (call) => ({ items: call.inputs.map((_, i) => input(call, i)) }),
  SequenceEmpty: () => ({ items: [] }),
  SequenceLength: (call) => scalar("int", sequenceInput(call).length),
  SequenceAt: at,
  SplitToSequence: split,
  ConcatFromSequence: concat,
};
