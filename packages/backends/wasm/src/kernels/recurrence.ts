import { type AttributesNamed, countElements } from "@espalier/core/graph";
import { type Emitter, pointer } from "../compile/emitter.ts";
import {
  asMatrix,
  featureMajor,
  type Layout,
  type Matrix,
  reshapeView,
  rowMajor,
  sliceView,
  type View,
} from "../compile/view.ts";
import { type BinaryName, emitBinary, emitUnary, type UnaryName } from "./elementwise.ts";
import type { Emits, NodeCall } from "./kernel.ts";
import { productWith } from "./products.ts";

/**
 * Recurrent cells, step by step, on the kernels of products and elements: the recurrent weight is packed once, sparse where
 * that is faster, and what does not depend on the state is computed for all steps at once. A step's numbers lie as features ×
 * sequences.
 */

/** Values [T, N, H] and gates [T, N, G, H], step by step. */
const statesByStep: Layout = { order: [0, 2, 1], run: 1 };
const gatesByStep: Layout = { order: [0, 2, 3, 1], run: 1 };

/** The part of a value that belongs to one step. */
function atStep(view: View, step: number): View {
  const [by, ...strides] = view.strides as [number, ...number[]];
  return { ...view, offset: view.offset + step * by, shape: view.shape.slice(1), strides };
}

/** One gate of […, G, H], or several as one axis […, n · H]. */
function gate(view: View, first: number, count = 1): View {
  const axis = view.shape.length - 2;
  const part = { ...sliceView(view, axis, first, first + count), padded: view.padded };
  const width = view.shape[axis + 1]!;
  const shape = [...view.shape.slice(0, axis), count * width];
  return { ...part, shape, strides: [...view.strides.slice(0, axis), view.strides[axis + 1]!] };
}

/** Gates of one step as a matrix [N, G · H]. */
const allGates = (view: View): Matrix => asMatrix(gate(view, 0, view.shape.at(-2)!))!;

/** Draws element by element. */
const calculator = (e: Emitter) => ({
  unary: (name: UnaryName, y: View, x: View) => emitUnary(e, name, y, x),
  binary: (name: BinaryName, y: View, a: View, b: View) => emitBinary(e, name, y, a, b),
});

type Call = NodeCall<AttributesNamed<"LSTM">>;

/** Common parts of a cell's forward and backward pass. */
function cellOf(e: Emitter, { attributes: { reverse } }: Call, weight: number, states: number) {
  const [steps, sequences, width] = e.shape(states) as [number, number, number];
  const view = e.view(weight);
  const size = [countElements(view.shape) / width, width];
  // [G · H, H], whose rows are what a state is multiplied with.
  const rows = reshapeView(view, size) ?? reshapeView(e.copy(view, rowMajor(3)), size)!;
  const columns: View = { ...rows, shape: rows.shape.toReversed(), strides: rows.strides.toReversed() };
  const order = Array.from({ length: steps }, (_, step) => (reverse ? steps - 1 - step : step));
  return {
    order,
    rows,
    columns,
    ofStates: (value: number) => e.copy(e.view(value), statesByStep),
    ofGates: (value: number) => e.copy(e.view(value), gatesByStep),
    /** The state before the first step, or after a gradient's last one, [N, H]. */
    ofState: (value: number) => e.copy(e.view(value), featureMajor(2)),
    states: () => e.allocate([steps, sequences, width], statesByStep),
    gates: (count: number) => e.allocate([steps, sequences, count, width], gatesByStep),
    state: (count = 1) => e.allocate([sequences, count * width], featureMajor(2)),
    stepGates: (count: number) => e.allocate([sequences, count, width], { order: [1, 2, 0], run: 1 }),
  };
}

function emitLstm(e: Emitter, call: Call): void {
  const [gates, weight, h0, c0] = call.inputs as [number, number, number, number];
  const [hValue, cValue] = call.node.outputs as [number, number];
  const cell = cellOf(e, call, weight, hValue);
  const { unary, binary } = calculator(e);
  const given = cell.ofGates(gates);
  const [h, c] = [cell.states(), cell.states()];
  e.set(hValue, h);
  e.set(cValue, c);
  const sums = cell.stepGates(4);
  const other = cell.state();
  const product = productWith(e, cell.columns, 0);
  let [state, memory] = [cell.ofState(h0), cell.ofState(c0)];
  for (const t of cell.order) {
    product(asMatrix(state)!, allGates(sums), pointer(atStep(given, t)));
    const [i, o, f, g] = [0, 1, 2, 3].map((n) => gate(sums, n)) as [View, View, View, View];
    unary("Sigmoid", gate(sums, 0, 3), gate(sums, 0, 3));
    unary("Tanh", g, g);
    const [now, next] = [atStep(h, t), atStep(c, t)];
    binary("Mul", next, f, memory);
    binary("Mul", other, i, g);
    binary("Add", next, next, other);
    unary("Tanh", other, next);
    binary("Mul", now, o, other);
    [state, memory] = [now, next];
  }
}

/** y = s·(1 − s), the slope of the logistic function at its value s. */
function slope(e: Emitter, y: View, s: View): void {
  const { binary } = calculator(e);
  binary("Mul", y, s, s);
  binary("Sub", y, s, y);
}

/** y = a·(1 − s²), tanh's slope at its value s. */
function bend(e: Emitter, y: View, a: View, s: View): void {
  const { binary } = calculator(e);
  binary("Mul", y, s, s);
  binary("Mul", y, y, a);
  binary("Sub", y, a, y);
}

function emitLstmGradient(e: Emitter, call: Call): void {
  const [sums, weight, c, before, dh, dc] = call.inputs as [number, number, number, number, number, number];
  const [gatesValue, stateValue, cellValue] = call.node.outputs as [number, number, number];
  const cell = cellOf(e, call, weight, c);
  const { unary, binary } = calculator(e);
  // Values of the gates, then what gradients are multiplied with on their way to each.
  const values = cell.gates(4);
  const given = e.view(sums);
  unary("Sigmoid", gate(values, 0, 3), gate(e.copy(given, gatesByStep), 0, 3));
  unary("Tanh", gate(values, 3), gate(e.copy(given, gatesByStep), 3));
  const [i, o, f, g] = [0, 1, 2, 3].map((n) => gate(values, n)) as [View, View, View, View];
  const [bent, through] = [cell.states(), cell.states()];
  unary("Tanh", bent, cell.ofStates(c));
  bend(e, through, o, bent);
  const factors = cell.gates(4);
  const [fi, fo, ff, fg] = [0, 1, 2, 3].map((n) => gate(factors, n)) as [View, View, View, View];
  slope(e, gate(factors, 0, 3), gate(values, 0, 3));
  binary("Mul", fi, fi, g);
  binary("Mul", fo, fo, bent);
  binary("Mul", ff, ff, cell.ofStates(before));
  bend(e, fg, i, g);
  const [ups, cells] = [cell.ofStates(dh), cell.ofStates(dc)];
  const dgates = cell.gates(4);
  const [state, memory, up, part] = [cell.state(), cell.state(), cell.state(), cell.state()];
  const product = productWith(e, cell.rows, 0);
  cell.order.toReversed().forEach((t, k) => {
    const own = k === 0 ? atStep(ups, t) : up;
    binary("Mul", part, own, atStep(through, t));
    binary("Add", part, part, atStep(cells, t));
    if (k > 0) binary("Add", part, part, memory);
    const [to, by] = [atStep(dgates, t), atStep(factors, t)];
    for (const n of [0, 2, 3]) binary("Mul", gate(to, n), part, gate(by, n));
    binary("Mul", gate(to, 1), own, gate(by, 1));
    binary("Mul", memory, part, atStep(f, t));
    const next = cell.order.toReversed()[k + 1];
    if (next === undefined) product(allGates(to), asMatrix(state)!, 0);
    else product(allGates(to), asMatrix(up)!, pointer(atStep(ups, next)));
  });
  e.set(gatesValue, dgates);
  e.set(stateValue, state);
  e.set(cellValue, memory);
}

function emitGru(e: Emitter, call: Call): void {
  const [gates, weight, bias, h0] = call.inputs as [number, number, number, number];
  const [hValue] = call.node.outputs as [number];
  const cell = cellOf(e, call, weight, hValue);
  const { unary, binary } = calculator(e);
  const given = cell.ofGates(gates);
  const h = cell.states();
  e.set(hValue, h);
  const biasView = e.view(bias);
  const size = [countElements(biasView.shape)];
  const vector = e.vector(reshapeView(biasView, size) ?? reshapeView(e.copy(biasView, rowMajor(2)), size)!);
  const products = cell.stepGates(3);
  const [update, reset, last] = [0, 1, 2].map((n) => gate(products, n)) as [View, View, View];
  const other = cell.state();
  const product = productWith(e, cell.columns, vector);
  let state = cell.ofState(h0);
  for (const t of cell.order) {
    product(asMatrix(state)!, allGates(products), 0);
    const [own, both] = [atStep(given, t), gate(products, 0, 2)];
    binary("Add", both, both, gate(own, 0, 2));
    unary("Sigmoid", both, both);
    binary("Mul", last, last, reset);
    binary("Add", last, last, gate(own, 2));
    unary("Tanh", last, last);
    // h = n + z·(h₋ − n)
    const now = atStep(h, t);
    binary("Sub", other, state, last);
    binary("Mul", other, other, update);
    binary("Add", now, last, other);
    state = now;
  }
}

function emitGruGradient(e: Emitter, call: Call): void {
  const [gates, products, weight, before, dh] = call.inputs as [number, number, number, number, number];
  const [gatesValue, productsValue, stateValue] = call.node.outputs as [number, number, number];
  const cell = cellOf(e, call, weight, before);
  const { unary, binary } = calculator(e);
  const [own, sums, states] = [cell.ofGates(gates), cell.ofGates(products), cell.ofStates(before)];
  const values = cell.gates(3);
  const [z, r, n] = [0, 1, 2].map((i) => gate(values, i)) as [View, View, View];
  const both = gate(values, 0, 2);
  binary("Add", both, gate(own, 0, 2), gate(sums, 0, 2));
  // 1 − σ(x) is σ(−x).
  const kept = cell.states();
  emitUnary(e, "Scale", kept, z, -1);
  unary("Sigmoid", kept, kept);
  unary("Sigmoid", both, both);
  binary("Mul", n, r, gate(sums, 2));
  binary("Add", n, n, gate(own, 2));
  unary("Tanh", n, n);
  const factors = cell.gates(3);
  const [fz, fr, fn] = [0, 1, 2].map((i) => gate(factors, i)) as [View, View, View];
  const rest = cell.states();
  // n's: (1 − z)(1 − n²); r's, behind it: q·r(1 − r); z's: (h₋ − n)·z(1 − z)
  bend(e, fn, kept, n);
  slope(e, gate(factors, 0, 2), both);
  binary("Mul", fr, fr, gate(sums, 2));
  binary("Sub", rest, states, n);
  binary("Mul", fz, fz, rest);
  const ups = cell.ofStates(dh);
  const [dgates, dproducts] = [cell.gates(3), cell.gates(3)];
  const [state, up, part] = [cell.state(), cell.state(), cell.state()];
  const product = productWith(e, cell.rows, 0);
  const backwards = cell.order.toReversed();
  backwards.forEach((t, k) => {
    const whole = k === 0 ? atStep(ups, t) : up;
    const [to, through, by] = [atStep(dgates, t), atStep(dproducts, t), atStep(factors, t)];
    binary("Mul", gate(to, 2), whole, gate(by, 2));
    binary("Mul", gate(to, 1), gate(to, 2), gate(by, 1));
    binary("Mul", gate(to, 0), whole, gate(by, 0));
    binary("Mul", gate(through, 2), gate(to, 2), gate(atStep(values, t), 1));
    e.copyInto(gate(through, 0, 2), gate(to, 0, 2));
    binary("Mul", part, whole, gate(atStep(values, t), 0));
    product(allGates(through), asMatrix(state)!, pointer(part));
    if (backwards[k + 1] !== undefined) binary("Add", up, state, atStep(ups, backwards[k + 1]!));
  });
  e.set(gatesValue, dgates);
  e.set(productsValue, dproducts);
  e.set(stateValue, state);
}

export const recurrence: Emits = {
  LSTM: emitLstm,
  LSTMGradient: emitLstmGradient,
  GRU: emitGru,
  GRUGradient: emitGruGradient,
};
