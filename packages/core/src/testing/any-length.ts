import { Builder, type Drawing } from "../graph/builder.ts";
import { expand } from "../operators/broadcast.ts";
import { operators } from "../operators/index.ts";
import { swapAxes } from "../operators/layout.ts";

const last = { axis: -1 };
const ofColumns = {
  ...{ Relu: {}, Gelu: {}, Elu: {}, Tanh: {}, Exp: {}, Sigmoid: {}, Softmax: last },
  ReduceSum: { axes: [-1], keepdims: false },
};
const ofTwo = { Add: {}, GeluGradient: {}, EluGradient: {}, SoftmaxGradient: last };

/**
 * Operators that go along rows, on columns of a length that become rows: kernels take several numbers at once, and each
 * length leaves others over. Inputs `x` and `d` are [length, 3]; an output for each operator.
 *
 * @param lacks operators to leave out.
 */
export function drawColumns(length: number, lacks: readonly string[]): Drawing {
  const b = Builder.create();
  // Repeated, so that no result can be kept in the order of the columns.
  const columns = ["x", "d"].map((name) =>
    expand(b, swapAxes(b, b.input(name, [length, 3]), 0, 1), [2, 3, length]),
  );
  const weights = ["scale", "bias"].map((name) => b.input(name, [length]));
  const calls = [
    ...Object.entries(ofColumns).map(([name, attributes]) => ({
      name,
      inputs: columns.slice(0, 1),
      attributes,
    })),
    ...Object.entries(ofTwo).map(([name, attributes]) => ({ name, inputs: columns, attributes })),
    { name: "LayerNormalization", inputs: [columns[0]!, ...weights], attributes: { epsilon: 1e-3 } },
  ];
  for (const { name, inputs, attributes } of calls) {
    if (!lacks.includes(name)) b.output(name, b.applyAll(operators.get(name)!, inputs, attributes)[0]!);
  }
  return b.build();
}
