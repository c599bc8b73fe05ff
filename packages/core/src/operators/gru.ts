import type { Builder, Value } from "../graph/builder.ts";
import { type NdArray, ndarray } from "../reference/array.ts";
import { reduceSum } from "./broadcast.ts";
import { add } from "./elementwise.ts";
import { reshape } from "./layout.ts";
import { defineOperator, type Operator } from "./operator.ts";
import {
  addProduct,
  addTransposed,
  cellFlops,
  cellSizes,
  coupleCell,
  expectShape,
  logistic,
  type RecurrenceAttributes,
  recurrentProducts,
  recurrentWeightGradient,
  statesBefore,
  stepsOf,
} from "./recurrence.ts";

/** Update gate, reset gate and new state, in ONNX's order. */
const gateCount = 3;

/**
 * Gated recurrent unit: (gates [T, N, 3, H], recurrent weight [3, H, H], recurrent bias [3, H], h₀ [N, H]) → h [T, N,
 * H]. Gates are the contribution of the input, including its bias, in the order update, reset, new; q is the
 * contribution of the state, including its bias. n = tanh(gₙ + σ(gᵣ + qᵣ)·qₙ), h = (1 − σ(g_z + q_z))·n + σ(g_z +
 * q_z)·h₋. Equals ONNX `GRU` with linear_before_reset (PyTorch's variant) after its product with the input. Cho et al.,
 * EMNLP 2014.
 */
export const gruOperator: Operator<RecurrenceAttributes> = defineOperator<RecurrenceAttributes>({
  name: "GRU",
  arity: 4,
  simplify: ([gates, , bias, h]) => (gates === "empty" || (gates && bias && h) ? "zero" : undefined),
  infer([gates, weight, bias, h]) {
    const { steps, sequences, width } = cellSizes(gates!, weight!, gateCount);
    expectShape("the recurrent bias", bias!, [gateCount, width]);
    expectShape("the initial state", h!, [sequences, width]);
    return [{ dtype: gates!.dtype, shape: [steps, sequences, width] }];
  },
  flops: ([gates]) => cellFlops(gates!),
  couple: (coupling, [gates, weight, bias, h], steps) =>
    coupleCell(coupling, { gates: [gates!], weights: [weight!], steps, states: [h!], biases: [bias!] }),
  gradient(b, { inputs: [gates, weight, bias, h0], outputs: [h], gradients: [dh], attributes }) {
    if (dh === undefined) return [undefined, undefined, undefined, undefined];
    const before = statesBefore(b, h0!, h!, attributes.reverse);
    const products = add(b, recurrentProducts(b, before, weight!), bias!);
    const [dgates, dproducts, dh0] = b.applyAll(
      gruGradient,
      [gates!, products, weight!, before, dh],
      attributes,
    );
    const dbias = reshape(b, reduceSum(b, dproducts!, [0, 1], false), bias!.shape);
    return [dgates, recurrentWeightGradient(b, dproducts!, before), dbias, dh0];
  },
  evaluate([gates, weight, bias, h0], { reverse }, [shape]) {
    const [steps, sequences, width] = shape as [number, number, number];
    const h = ndarray(shape!);
    for (let n = 0; n < sequences; n++) {
      let [states, before] = [h0!.data, n * width];
      for (const t of stepsOf(steps, reverse)) {
        const at = (t * sequences + n) * width;
        const products = bias!.data.slice();
        addProduct(weight!.data, states, before, width, products);
        for (let j = 0; j < width; j++) {
          const { update, next } = cellAt(gates!.data, gateCount * at, products, 0, width, j);
          h.data[at + j] = (1 - update) * next + update * states[before + j]!;
        }
        [states, before] = [h.data, at];
      }
    }
    return [h];
  },
});

/** One unit of a cell at one step, from its gates and its products, which begin at these positions. */
function cellAt(
  gates: Float64Array,
  gatesAt: number,
  products: Float64Array,
  productsAt: number,
  width: number,
  unit: number,
) {
  const gate = (i: number) => gates[gatesAt + i * width + unit]!;
  const product = (i: number) => products[productsAt + i * width + unit]!;
  const update = logistic(gate(0) + product(0));
  const reset = logistic(gate(1) + product(1));
  return { update, reset, next: Math.tanh(gate(2) + reset * product(2)), product: product(2) };
}

/**
 * Gradients of GRU: (gates and the state's products with their bias [T, N, 3, H], recurrent weight, states before each step
 * [T, N, H], dh) → (dgates, dproducts, dh₀).
 */
export const gruGradient: Operator<RecurrenceAttributes> = defineOperator<RecurrenceAttributes>({
  name: "GRUGradient",
  arity: 5,
  infer([gates, , weight]) {
    const { sequences, width } = cellSizes(gates!, weight!, gateCount);
    return [gates!, gates!, { dtype: gates!.dtype, shape: [sequences, width] }];
  },
  flops: ([gates]) => cellFlops(gates!),
  couple: (coupling, [gates, products, weight, ...steps], [dgates, dproducts, state]) =>
    coupleCell(coupling, {
      gates: [gates!, products!, dgates!, dproducts!],
      weights: [weight!],
      steps,
      states: [state!],
    }),
  evaluate([gates, products, weight, before, dh], { reverse }, shapes) {
    const [dgates, dproducts, dh0] = shapes.map((shape) => ndarray(shape)) as [NdArray, NdArray, NdArray];
    const [steps, sequences, , width] = gates!.shape as [number, number, number, number];
    for (let n = 0; n < sequences; n++) {
      const state = new Float64Array(width);
      for (const t of stepsOf(steps, !reverse)) {
        const at = (t * sequences + n) * width;
        const first = gateCount * at;
        for (let j = 0; j < width; j++) {
          const { update, reset, next, product } = cellAt(
            gates!.data,
            first,
            products!.data,
            first,
            width,
            j,
          );
          const up = dh!.data[at + j]! + state[j]!;
          const dnext = up * (1 - update) * (1 - next ** 2);
          const dreset = dnext * product * reset * (1 - reset);
          const dupdate = up * (before!.data[at + j]! - next) * update * (1 - update);
          [dupdate, dreset, dnext].forEach((part, gate) => {
            dgates.data[first + gate * width + j] = part;
            dproducts.data[first + gate * width + j] = gate === 2 ? part * reset : part;
          });
          state[j] = up * update;
        }
        addTransposed(weight!.data, dproducts.data, first, state);
      }
      dh0.data.set(state, n * width);
    }
    return [dgates, dproducts, dh0];
  },
});

/**
 * Draws a GRU: contribution of the input to its gates [T, N, 3, H], recurrent weight and bias, h₀ [N, H] → h of all
 * steps.
 */
export function gru(b: Builder, gates: Value, weight: Value, bias: Value, h: Value, reverse = false): Value {
  return b.apply(gruOperator, [gates, weight, bias, h], { reverse });
}
