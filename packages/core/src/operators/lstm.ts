import type { Builder, Value } from "../graph/builder.ts";
import { ndarray } from "../reference/array.ts";
import { add } from "./elementwise.ts";
import { defineOperator, type Operator } from "./operator.ts";
import {
  addProduct,
  addTransposed,
  cellFlops,
  cellSizes,
  coupleCell,
  expectShape,
  logistic,
  orZeros,
  type RecurrenceAttributes,
  recurrentProducts,
  recurrentWeightGradient,
  statesBefore,
  stepsOf,
} from "./recurrence.ts";

/** Input, output and forget gate, and new cell value, in ONNX's order. */
const gateCount = 4;

/**
 * Long short-term memory: (gates [T, N, 4, H], recurrent weight [4, H, H], h₀ [N, H], c₀ [N, H]) → (h [T, N, H], c [T,
 * N, H]). Gates are the contribution of the input, including biases, in the order input, output, forget, cell. c =
 * σ(f)·c₋ + σ(i)·tanh(g), h = σ(o)·tanh(c). Equals ONNX `LSTM` after its product with the input. Hochreiter and
 * Schmidhuber, 1997; Gers et al., 2000.
 */
export const lstmOperator: Operator<RecurrenceAttributes> = defineOperator<RecurrenceAttributes>({
  name: "LSTM",
  arity: 4,
  simplify: ([gates, , h, c]) => (gates === "empty" || (gates && h && c) ? "zero" : undefined),
  infer([gates, weight, h, c]) {
    const { steps, sequences, width } = cellSizes(gates!, weight!, gateCount);
    expectShape("the initial state", h!, [sequences, width]);
    expectShape("the initial cell", c!, [sequences, width]);
    const type = { dtype: gates!.dtype, shape: [steps, sequences, width] };
    return [type, type];
  },
  flops: ([gates]) => cellFlops(gates!),
  couple: (coupling, [gates, weight, h, c], outputs) =>
    coupleCell(coupling, { gates: [gates!], weights: [weight!], steps: outputs, states: [h!, c!] }),
  gradient(b, { inputs: [gates, weight, h0, c0], outputs: [h, c], gradients: [dh, dc], attributes }) {
    if (dh === undefined && dc === undefined) return [undefined, undefined, undefined, undefined];
    const before = statesBefore(b, h0!, h!, attributes.reverse);
    const sums = add(b, gates!, recurrentProducts(b, before, weight!));
    const cells = statesBefore(b, c0!, c!, attributes.reverse);
    const given = [orZeros(b, dh, h!), orZeros(b, dc, c!)];
    const [dgates, dh0, dc0] = b.applyAll(lstmGradient, [sums, weight!, c!, cells, ...given], attributes);
    return [dgates, recurrentWeightGradient(b, dgates!, before), dh0, dc0];
  },
  evaluate([gates, weight, h0, c0], { reverse }, [shape]) {
    const [steps, sequences, width] = shape as [number, number, number];
    const [h, c] = [ndarray(shape!), ndarray(shape!)];
    for (let n = 0; n < sequences; n++) {
      let [states, cells, before] = [h0!.data, c0!.data, n * width];
      for (const t of stepsOf(steps, reverse)) {
        const at = (t * sequences + n) * width;
        const sums = gates!.data.slice(gateCount * at, gateCount * (at + width));
        addProduct(weight!.data, states, before, width, sums);
        for (let j = 0; j < width; j++) {
          const [i, o, f] = [0, 1, 2].map((gate) => logistic(sums[gate * width + j]!)) as [
            number,
            number,
            number,
          ];
          c.data[at + j] = f * cells[before + j]! + i * Math.tanh(sums[3 * width + j]!);
          h.data[at + j] = o * Math.tanh(c.data[at + j]!);
        }
        [states, cells, before] = [h.data, c.data, at];
      }
    }
    return [h, c];
  },
});

/**
 * Gradients of LSTM: (complete sums of all gates [T, N, 4, H], recurrent weight, c and the cells before it [T, N, H], dh,
 * dc) → (dgates, dh₀, dc₀).
 */
export const lstmGradient: Operator<RecurrenceAttributes> = defineOperator<RecurrenceAttributes>({
  name: "LSTMGradient",
  arity: 6,
  infer([gates, weight, c]) {
    const { sequences, width } = cellSizes(gates!, weight!, gateCount);
    const state = { dtype: c!.dtype, shape: [sequences, width] };
    return [gates!, state, state];
  },
  flops: ([gates]) => cellFlops(gates!),
  couple: (coupling, [gates, weight, ...steps], [dgates, ...states]) =>
    coupleCell(coupling, { gates: [gates!, dgates!], weights: [weight!], steps, states }),
  evaluate([gates, weight, c, cells, dh, dc], { reverse }, shapes) {
    const [dgates, dh0, dc0] = shapes.map((shape) => ndarray(shape)) as [
      ReturnType<typeof ndarray>,
      ReturnType<typeof ndarray>,
      ReturnType<typeof ndarray>,
    ];
    const [steps, sequences, , width] = gates!.shape as [number, number, number, number];
    for (let n = 0; n < sequences; n++) {
      const [state, cell] = [new Float64Array(width), new Float64Array(width)];
      for (const t of stepsOf(steps, !reverse)) {
        const at = (t * sequences + n) * width;
        const first = gateCount * at;
        for (let j = 0; j < width; j++) {
          const sum = (gate: number) => gates!.data[first + gate * width + j]!;
          const [i, o, f, g] = [logistic(sum(0)), logistic(sum(1)), logistic(sum(2)), Math.tanh(sum(3))];
          const bent = Math.tanh(c!.data[at + j]!);
          const up = dh!.data[at + j]! + state[j]!;
          const through = dc!.data[at + j]! + cell[j]! + up * o * (1 - bent ** 2);
          const parts = [
            through * g * i * (1 - i),
            up * bent * o * (1 - o),
            through * cells!.data[at + j]! * f * (1 - f),
            through * i * (1 - g ** 2),
          ];
          parts.forEach((part, gate) => {
            dgates.data[first + gate * width + j] = part;
          });
          cell[j] = through * f;
        }
        state.fill(0);
        addTransposed(weight!.data, dgates.data, first, state);
      }
      dh0.data.set(state, n * width);
      dc0.data.set(cell, n * width);
    }
    return [dgates, dh0, dc0];
  },
});

/**
 * Draws an LSTM: contribution of the input to its gates [T, N, 4, H], recurrent weight, h₀ and c₀ [N, H] → h and c of
 * all steps.
 */
export function lstm(
  b: Builder,
  gates: Value,
  weight: Value,
  [h, c]: readonly [Value, Value],
  reverse = false,
): readonly [h: Value, c: Value] {
  return b.applyAll(lstmOperator, [gates, weight, h, c], { reverse }) as [Value, Value];
}
