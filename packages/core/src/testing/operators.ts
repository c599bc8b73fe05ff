import { differentiate } from "../autodiff/differentiate.ts";
import { Builder, type Drawing } from "../graph/builder.ts";
import { countElements, printShape, resolveShape } from "../graph/extent.ts";
import { float32, int32, type TensorData } from "../graph/tensor.ts";
import { reduceSum } from "../operators/broadcast.ts";
import { mul } from "../operators/elementwise.ts";
import { operators } from "../operators/index.ts";
import { randomStream } from "../operators/random.ts";
import { evaluateGraph } from "../reference/backend.ts";
import { inputType, type OperatorCase, operatorCases } from "./operator-cases.ts";

/** Name of a case in a test. */
export function caseName({ operator, inputs, attributes }: OperatorCase): string {
  const shapes = inputs.map(({ shape }) => printShape(shape)).join(" ");
  const { stream: _stream, ...shown } = attributes;
  return `${operator} ${shapes} ${JSON.stringify(shown)}`;
}

/** Operators without a case; there must be none. */
export function uncoveredOperators(): string[] {
  const covered = new Set(operatorCases.map(({ operator }) => operator));
  return [...operators.keys()].filter((name) => !covered.has(name));
}

/** A graph of one call: inputs `0`, `1`, …; outputs `y0`, `y1`, …. */
export function drawCase(one: OperatorCase): Drawing {
  const b = Builder.create();
  const inputs = one.inputs.map(({ shape }, i) => b.input(`${i}`, shape, inputType(one, i)));
  const outputs = b.applyAll(operators.get(one.operator)!, inputs, one.attributes);
  outputs.forEach((output, i) => {
    b.output(`y${i}`, output);
  });
  return b.build();
}

/** Inputs of a case at a batch size; the same each time. */
export function caseInputs(one: OperatorCase, batchSize: number): Map<string, TensorData> {
  return new Map(
    one.inputs.map(({ shape, range = [-1, 1], below, least = 0 }, i) => {
      const concrete = resolveShape(shape, batchSize);
      const random = randomStream(5, `${caseName(one)} ${i}`);
      const [low, high] = below === undefined ? range : [least, below];
      const data = Array.from({ length: countElements(concrete) }, () => low + (high - low) * random());
      if (below === undefined) return [`${i}`, float32(concrete, data)];
      const whole = data.map(Math.floor);
      return [`${i}`, inputType(one, i) === "int32" ? int32(concrete, whole) : float32(concrete, whole)];
    }),
  );
}

/** Largest error of an operator's drawn gradient against central differences, relative to the largest difference quotient. */
export function gradientError(one: OperatorCase, batchSize = 2): number {
  const b = Builder.create();
  const inputs = one.inputs.map(({ shape }, i) => b.input(`${i}`, shape, inputType(one, i)));
  const outputs = b.applyAll(operators.get(one.operator)!, inputs, one.attributes);
  const weighted = mul(b, outputs[0]!, b.input("weights", outputs[0]!.shape));
  const loss = reduceSum(
    b,
    weighted,
    weighted.shape.map((_, axis) => axis),
  );
  const targets = one.differentiable ?? inputs.flatMap(({ dtype }, i) => (dtype === "float32" ? [i] : []));
  const gradients = differentiate(
    b,
    loss,
    targets.map((i) => inputs[i]!),
  );
  b.output("loss", loss);
  gradients.forEach((gradient, i) => {
    if (gradient !== undefined) b.output(`g${targets[i]}`, gradient);
  });
  const { graph, data } = b.build();
  const given = new Map([...data].map(([name, tensor]) => [name, array(tensor)]));
  for (const [name, tensor] of caseInputs(one, batchSize)) given.set(`input ${name}`, array(tensor));
  const shape = resolveShape(outputs[0]!.shape, batchSize);
  const random = randomStream(3, "weights");
  given.set("input weights", {
    shape,
    data: Float64Array.from({ length: countElements(shape) }, () => 2 * random() - 1),
  });
  const value = (name: string) => graph.outputs.find((output) => output.name === name)!.value;
  const lossOf = () => evaluateGraph(graph, given, batchSize)[value("loss")]!.data[0]!;
  const analytic = evaluateGraph(graph, given, batchSize);
  let worst = 0;
  for (const i of targets) {
    const gradient = analytic[value(`g${i}`)]!.data;
    const input = given.get(`input ${i}`)!.data;
    const slopes = Float64Array.from(sampled(input.length), (at) => {
      const before = input[at]!;
      const step = 1e-5;
      input[at] = before + step;
      const above = lossOf();
      input[at] = before - step;
      const below = lossOf();
      input[at] = before;
      return (above - below) / (2 * step);
    });
    const scale = Math.max(1e-3, ...slopes.map(Math.abs));
    sampled(input.length).forEach((at, k) => {
      worst = Math.max(worst, Math.abs(gradient[at]! - slopes[k]!) / scale);
    });
  }
  return worst;
}

/** At most 40 positions, spread evenly. */
function sampled(length: number): number[] {
  const count = Math.min(40, length);
  return Array.from({ length: count }, (_, i) => Math.floor((i * length) / count));
}

function array({ shape, data }: TensorData) {
  return { shape, data: Float64Array.from(data) };
}
