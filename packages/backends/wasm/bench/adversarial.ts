import { float32, type Model, type TensorData, type Tensors } from "@espalier/core";
import {
  adamOperator,
  add,
  Builder,
  elu,
  eluGradient,
  exp,
  type Graph,
  gelu,
  geluGradient,
  sigmoid,
  tanh,
  type Value,
} from "@espalier/core/graph";
import { iTransformer, patchTST, transformer } from "@espalier/models";
import { drawTrainingStep } from "@espalier/training";
import { inputsFor, trainingInputs } from "./models.ts";

/** Something that runs many times on one state. */
export interface Subject {
  readonly graph: Graph;
  readonly tensors: Tensors;
  readonly inputs: Tensors;
  /** Content of the program's memory before it runs. */
  readonly memory?: number;
}

/** Inputs that make kernels compute with tiny numbers if nothing keeps them from it, and ordinary ones beside them. */
export interface Scenario {
  readonly name: string;
  readonly ordinary: Subject;
  readonly adversarial: Subject;
  readonly steps: number;
}

export interface ScenarioSize {
  readonly width: number;
  readonly batch: number;
  /** Steps of a training run, and of Adam alone: from 830 on m has passed 2⁻¹²⁶, from 87,000 on v. */
  readonly steps: number;
  readonly adamSteps: number;
}

export function scenarios({ width, batch, steps, adamSteps }: ScenarioSize): Scenario[] {
  const size = {
    inputLength: 96,
    horizon: 24,
    series: 7,
    width,
    feedForward: 2 * width,
    heads: 4,
    layers: 2,
  };
  const inverted = iTransformer({ ...size, dropout: 0.1 }).initialize(1);
  const patched = patchTST({ ...size, dropout: 0.1 }).initialize(1);
  const causal = transformer({ ...size, labelLength: 48, dropout: 0.1 }).initialize(1);
  const lanes = [1e30, 1e-40, -0].flatMap((memory): Scenario[] => [
    {
      name: `lanes of iTransformer, batch 1, over ${Object.is(memory, -0) ? "−0" : memory}`,
      ordinary: forward(inverted, 1),
      adversarial: { ...forward(inverted, 1), memory },
      steps: 4,
    },
    {
      name: `lanes of a step of Transformer over ${Object.is(memory, -0) ? "−0" : memory}`,
      ordinary: training(causal, 1),
      adversarial: { ...training(causal, 1), memory },
      steps: 4,
    },
  ]);
  const peaked = Object.entries({ iTransformer: inverted, PatchTST: patched, Transformer: causal });
  return [
    ...lanes,
    ...peaked.flatMap(([name, model]): Scenario[] => [
      {
        name: `${name}, peaked attention`,
        ordinary: forward(model, batch),
        adversarial: forward(scaled(model, 30, "query_projection.weight"), batch),
        steps: 4,
      },
      {
        name: `training of ${name}, peaked attention`,
        ordinary: training(model, batch),
        adversarial: training(scaled(model, 30, "query_projection.weight"), batch),
        steps,
      },
    ]),
    {
      name: "training of Transformer, diverging",
      ordinary: training(causal, batch),
      adversarial: training(scaled(causal, 30, "weight"), batch, 0.3),
      steps,
    },
    { name: "tails of functions", ordinary: functions(1), adversarial: functions(130), steps: 4 },
    { name: "Adam, no gradient", ordinary: adam(1), adversarial: adam(0), steps: adamSteps },
    { name: "Adam, tiny gradients", ordinary: adam(1), adversarial: adam(1e-25), steps: adamSteps },
  ];
}

function forward(model: Model, batch: number): Subject {
  return { graph: model.graph, tensors: model.tensors, inputs: inputsFor(model, batch) };
}

function training(model: Model, batch: number, learningRate = 1e-4): Subject {
  const { graph, tensors } = drawTrainingStep(model, { seed: 1 });
  const inputs = new Map([
    ...trainingInputs(model, batch),
    ["learningRate", float32([], [learningRate])] as const,
  ]);
  return { graph, tensors: new Map([...model.tensors, ...tensors]), inputs };
}

/** The model with some matrices times a factor. */
function scaled(model: Model, factor: number, ending: string): Model {
  const tensors = new Map(
    [...model.tensors].map(([name, tensor]) => {
      const chosen = name.endsWith(ending) && tensor.shape.length > 1;
      return [
        name,
        chosen
          ? float32(
              tensor.shape,
              tensor.data.map((w) => w * factor),
            )
          : tensor,
      ] as const;
    }),
  );
  return { ...model, tensors };
}

/** Every function with a tail and its slope, from −range to range. */
function functions(range: number): Subject {
  const b = Builder.create();
  const n = 4096;
  const x = b.input("x", [n]);
  const dy = b.input("dy", [n]);
  for (const [name, draw] of Object.entries({ exp, elu, sigmoid, tanh, gelu })) {
    b.output(name, draw(b, x));
  }
  b.output("eluSlope", b.apply(eluGradient, [x, dy], {}));
  b.output("geluSlope", b.apply(geluGradient, [x, dy], {}));
  const { graph, data } = b.build();
  const spread = Float32Array.from({ length: n }, (_, i) => ((2 * i) / (n - 1) - 1) * range);
  const small = Float32Array.from({ length: n }, (_, i) => 1e-6 * Math.sin(i + 1));
  return {
    graph,
    tensors: data,
    inputs: new Map([
      ["x", float32([n], spread)],
      ["dy", float32([n], small)],
    ]),
  };
}

/** Adam on moments of a trained weight, with gradients of one size. */
function adam(gradient: number): Subject {
  const b = Builder.create();
  const n = 4096;
  const numbers = (size: number) =>
    float32(
      [n],
      Float32Array.from({ length: n }, (_, i) => size * Math.sin(i + 1)),
    );
  const start: [string, TensorData][] = [
    ["p", numbers(0.1)],
    ["m", numbers(1e-3)],
    ["v", float32([n], new Float32Array(n).fill(1e-6))],
    ["step", float32([], [0])],
  ];
  const [p, m, v, before] = start.map(([name, data]) => b.tensor(name, "buffer", data)) as [
    Value,
    Value,
    Value,
    Value,
  ];
  const step = add(b, before, b.constant(1));
  const settings = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };
  const operands = [p, b.input("g", [n]), m, v, step, b.input("rate", [])];
  const updated = [...b.applyAll(adamOperator, operands, settings), step];
  start.forEach(([name], i) => {
    b.update(name, updated[i]!);
  });
  const { graph, data } = b.build();
  const inputs = new Map([
    ["g", numbers(gradient)],
    ["rate", float32([], [1e-4])],
  ]);
  return { graph, tensors: new Map([...data, ...start]), inputs };
}
