import {
  add,
  concat,
  type Extent,
  expand,
  gru,
  isBatch,
  lstm,
  matMul,
  mul,
  printShape,
  relu,
  reshape,
  type Shape,
  sameShape,
  sigmoid,
  slice,
  sub,
  swapAxes,
  tanh,
  transpose,
  type Value,
} from "@espalier/core/graph";
import { takeKnown } from "../arrays.ts";
import { type Call, input, isPlain, lift, type Rule, shapeOf, valueInput } from "../call.ts";
import { UnreadableError } from "../errors.ts";
import { type Item, isKnown, isRepeated } from "../items.ts";
import { build } from "../known.ts";
import { sliceAlong } from "../layout.ts";
import { isMadeUp } from "../names.ts";
import { ofOneSample } from "../repeated.ts";
import type { Use } from "../roles.ts";

/** LSTM, GRU and RNN: the product with the input is drawn for all steps at once, the recurrence is a separate operator. */

/** Properties of a node before its cells are drawn. */
interface Cell {
  readonly call: Call;
  readonly gates: number;
  readonly width: number;
  readonly steps: number;
  readonly sequences: Extent;
  /** For each parallel cell, whether it runs backwards. */
  readonly backwards: readonly boolean[];
  /** [steps, sequences, features]. */
  readonly x: Value;
  /** The activation of the new state. */
  readonly bends: typeof tanh;
}

const activations: Readonly<Record<string, readonly string[]>> = {
  LSTM: ["Sigmoid", "Tanh", "Tanh"],
  GRU: ["Sigmoid", "Tanh"],
  RNN: ["Tanh"],
};

function cellOf(call: Call, gates: number): Cell {
  const { attributes, b, operator } = call;
  const direction = attributes.text("direction", "forward");
  const backwards = { forward: [false], reverse: [true], bidirectional: [false, true] }[direction];
  if (backwards === undefined)
    throw new UnreadableError(`its direction ${direction.slice(0, 20)} is not known`);
  const given = attributes.texts("activations") ?? [];
  const usual = operator === "RNN" && given[0] === "Relu" ? ["Relu"] : activations[operator]!;
  if (given.some((name, i) => name !== usual[i % usual.length]))
    throw new UnreadableError(
      `its activations are not the usual ${usual.join(", ")}; others are not supported`,
    );
  const own = valueInput(call, 0);
  if (own.shape.length !== 3)
    throw new UnreadableError(`its input ${printShape(own.shape)} must have three axes`);
  const x = attributes.int("layout", 0) === 1 ? transpose(b, own, [1, 0, 2]) : own;
  const [steps, sequences] = x.shape as readonly [Extent, Extent, Extent];
  if (isBatch(steps))
    throw new UnreadableError("it runs along the batch axis, which would mix the samples of a batch");
  const width = shapeOf(input(call, 2))[2];
  if (typeof width !== "number") throw new UnreadableError("its recurrent weight must have three axes");
  const stated = attributes.int("hidden_size", width);
  if (stated !== width)
    throw new UnreadableError(`its hidden_size ${stated} does not fit a recurrent weight for ${width}`);
  const lengths = call.inputs[4];
  const whole = lengths === undefined || (isKnown(lengths) && lengths.data.every((n) => n === steps));
  if (!whole)
    throw new UnreadableError(
      "its sequences are of different lengths (sequence_lens), which is not supported. Export it for sequences of one length (without pack_padded_sequence)",
    );
  return { call, gates, width, steps, sequences, backwards, x, bends: usual.at(-1) === "Relu" ? relu : tanh };
}

/** PyTorch's name for a parameter of one cell. */
function nameOf({ call: { module } }: Cell, part: string, direction: number): string {
  return [module, `${part}${direction === 1 ? "_reverse" : ""}`].filter(Boolean).join(".");
}

/**
 * Both directions and both biases are stored in one array: each part is a tensor, with an invented name if the whole
 * has one.
 */
function nameOfPart(whole: string, part: string, direction: number): string {
  const own = `${part}${direction === 1 ? "_reverse" : ""}`;
  return isMadeUp(whole) ? `onnx::${whole.replaceAll(/\W/g, "_")}_${own}` : `${whole}.${own}`;
}

/** The part of an input that belongs to one direction, as a separate weight if the file stores them together. */
function part(
  cell: Cell,
  i: number,
  direction: number,
  what: string,
  as: Use["as"],
  of?: readonly [number, number],
): Value {
  const { call, backwards } = cell;
  const item = input(call, i);
  const shape = shapeOf(item) as readonly number[];
  const [start, end] = of ?? [0, shape[1]!];
  if (shape[0] !== backwards.length || end > shape[1]!)
    throw new UnreadableError(`its input ${i} ${printShape(shape)} does not fit its directions and gates`);
  const name = nameOf(cell, what, direction);
  if (isKnown(item)) {
    const { source } = item;
    const rows = Array.from({ length: end - start }, (_, row) => start + row);
    const own = takeKnown(takeKnown(item, 0, [direction]), 1, rows);
    const isWhole = backwards.length === 1 && of === undefined;
    const place = source && (isWhole ? source.name : nameOfPart(source.name, what, direction));
    const laid = { ...own, shape: own.shape.slice(1), ...(place && { source: { ...source, name: place } }) };
    return lift({ ...call, nameFor: () => name }, laid, { as, name });
  }
  const { b } = call;
  const value = sliceAlong(b, sliceAlong(b, lift(call, item), 0, direction, direction + 1), 1, start, end);
  return reshape(b, value, value.shape.slice(1));
}

/** The initial state of a cell: zeros if none is given. */
function initial(cell: Cell, i: number, direction: number): Value {
  const { call, sequences, width, backwards } = cell;
  const { b, context } = call;
  const shape: Shape = [backwards.length, sequences, width];
  const zeros = () => expand(b, context.weights.number(0), shape.slice(1));
  const given = call.inputs[i];
  if (given === undefined) return zeros();
  const known = isRepeated(given) ? given.repeats : given;
  if (isPlain(call, known) && known.data.every((n) => n === 0)) return zeros();
  const batchFirst = call.attributes.int("layout", 0) === 1;
  const one = ofOneSample(call, given, batchFirst ? [sequences, backwards.length, width] : shape);
  const value = lift(call, one as Item);
  const states = expand(b, batchFirst ? transpose(b, value, [1, 0, 2]) : value, shape);
  return reshape(b, sliceAlong(b, states, 0, direction, direction + 1), shape.slice(1));
}

/** Contribution of the input and the biases to the gates: [steps, sequences, gates, width]. */
function gatesOf(cell: Cell, direction: number, biases: readonly Value[]): Value {
  const { call, x, gates, width, steps, sequences } = cell;
  const weight = part(cell, 1, direction, "weight_ih", "weight");
  const product = matMul(call.b, x, swapAxes(call.b, weight, 0, 1));
  const sum = biases.reduce((whole, bias) => add(call.b, whole, bias), product);
  return reshape(call.b, sum, [steps, sequences, gates, width]);
}

function recurrentWeight(cell: Cell, direction: number): Value {
  const { call, gates, width } = cell;
  const weight = part(cell, 2, direction, "weight_hh", "weight");
  if (!sameShape(weight.shape, [gates * width, width]))
    throw new UnreadableError(`its recurrent weight ${printShape(weight.shape)} does not fit ${gates} gates`);
  return reshape(call.b, weight, [gates, width, width]);
}

/** Biases of the product with the input and of that with the state; none if the node has none. */
function biasesOf(cell: Cell, direction: number): readonly [Value, Value] | undefined {
  const rows = cell.gates * cell.width;
  if (cell.call.inputs[3] === undefined) return undefined;
  return [
    part(cell, 3, direction, "bias_ih", "bias", [0, rows]),
    part(cell, 3, direction, "bias_hh", "bias", [rows, 2 * rows]),
  ];
}

/** All steps of all directions, then the last state of each, in the node's order of axes. */
function outputs({ call, backwards, steps, sequences, width }: Cell, cells: readonly (readonly Value[])[]) {
  const { b } = call;
  const batchFirst = call.attributes.int("layout", 0) === 1;
  const join = (values: readonly Value[], axis: number) =>
    values.length === 1 ? values[0]! : concat(b, values, axis);
  const apart = cells.map(([h]) => reshape(b, h!, [steps, 1, sequences, width]));
  const all = join(apart, 1);
  const last = (value: Value, direction: number) => {
    const at = backwards[direction] ? 0 : steps - 1;
    return slice(b, value, 0, at, at + 1);
  };
  const states = cells[0]!.map((_, state) => {
    const ends = join(
      cells.map((cell, direction) => last(cell[state]!, direction)),
      0,
    );
    return batchFirst ? transpose(b, ends, [1, 0, 2]) : ends;
  });
  return [batchFirst ? transpose(b, all, [2, 0, 1, 3]) : all, ...states];
}

const lstmRule: Rule = (call) => {
  const cell = cellOf(call, 4);
  const peepholes = call.inputs[7];
  if (peepholes !== undefined && !(isKnown(peepholes) && peepholes.data.every((n) => n === 0)))
    throw new UnreadableError("its peepholes are not supported");
  const cells = cell.backwards.map((reverse, direction) => {
    const gates = gatesOf(cell, direction, biasesOf(cell, direction) ?? []);
    const state = [initial(cell, 5, direction), initial(cell, 6, direction)] as const;
    return lstm(call.b, gates, recurrentWeight(cell, direction), state, reverse);
  });
  return outputs(cell, cells);
};

const gruRule: Rule = (call) => {
  const cell = cellOf(call, 3);
  const { b } = call;
  const resetsAfter = call.attributes.int("linear_before_reset", 0) !== 0;
  const cells = cell.backwards.map((reverse, direction) => {
    const biases = biasesOf(cell, direction);
    if (!resetsAfter) {
      const gates = gatesOf(cell, direction, biases ?? []);
      return [
        resettingFirst(cell, gates, recurrentWeight(cell, direction), initial(cell, 5, direction), reverse),
      ];
    }
    const gates = gatesOf(cell, direction, biases?.slice(0, 1) ?? []);
    const bias = biases === undefined ? noBias(call, cell) : reshape(b, biases[1], [cell.gates, cell.width]);
    return [gru(b, gates, recurrentWeight(cell, direction), bias, initial(cell, 5, direction), reverse)];
  });
  return outputs(cell, cells);
};

/** Maximum number of steps drawn one by one. */
const maxSteps = 1024;

/** A recurrence drawn step by step: `next` draws a state from its part of the gates. Gives h [steps, sequences, width]. */
function unrolled(
  { call: { b, operator }, steps, sequences, width }: Cell,
  gates: Value,
  first: Value,
  reverse: boolean,
  next: (state: Value, gateOf: (gate: number) => Value) => Value,
): Value {
  if (steps > maxSteps)
    throw new UnreadableError(
      `an ${operator} of this kind is drawn step by step, which is supported for up to ${maxSteps} steps, not ${steps}`,
    );
  const states: Value[] = [];
  let state = first;
  for (let i = 0; i < steps; i++) {
    const t = reverse ? steps - 1 - i : i;
    const now = slice(b, gates, 0, t, t + 1);
    state = next(state, (gate) => reshape(b, slice(b, now, 2, gate, gate + 1), [sequences, width]));
    states[t] = reshape(b, state, [1, sequences, width]);
  }
  return states.length === 1 ? states[0]! : concat(b, states, 0);
}

/**
 * A GRU that resets its state before the product (Cho et al., EMNLP 2014; TensorFlow's before version 2): core's operator
 * resets after it, as PyTorch does.
 */
function resettingFirst(cell: Cell, gates: Value, weight: Value, first: Value, reverse: boolean): Value {
  const { b } = cell.call;
  const weights = [0, 1, 2].map((gate) =>
    swapAxes(b, reshape(b, slice(b, weight, 0, gate, gate + 1), [cell.width, cell.width]), 0, 1),
  );
  return unrolled(cell, gates, first, reverse, (state, gateOf) => {
    const sum = (gate: number, seen: Value) => add(b, gateOf(gate), matMul(b, seen, weights[gate]!));
    const [update, reset] = [sigmoid(b, sum(0, state)), sigmoid(b, sum(1, state))];
    const fresh = tanh(b, sum(2, mul(b, reset, state)));
    return add(b, fresh, mul(b, update, sub(b, state, fresh)));
  });
}

const rnnRule: Rule = (call) => {
  const cell = cellOf(call, 1);
  const { b } = call;
  const cells = cell.backwards.map((reverse, direction) => {
    const gates = gatesOf(cell, direction, biasesOf(cell, direction) ?? []);
    const weight = swapAxes(b, part(cell, 2, direction, "weight_hh", "weight"), 0, 1);
    const first = initial(cell, 5, direction);
    return [
      unrolled(cell, gates, first, reverse, (state, gateOf) =>
        cell.bends(b, add(b, gateOf(0), matMul(b, state, weight))),
      ),
    ];
  });
  return outputs(cell, cells);
};

function noBias(call: Call, { gates, width }: Cell): Value {
  return lift(
    call,
    build("float", [gates, width], () => [0, 0]),
    { as: "operand", name: "zeros" },
  );
}

export const recurrences: Readonly<Record<string, Rule>> = { LSTM: lstmRule, GRU: gruRule, RNN: rnnRule };
