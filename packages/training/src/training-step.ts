import {
  adamOperator,
  add,
  type Builder,
  differentiate,
  drawTrainingForward,
  EspalierError,
  float32,
  type Graph,
  type Model,
  maskValues,
  meanSquaredError,
  scale,
  type TensorData,
  type Value,
  zeros,
} from "@espalier/core";

/** Settings of Adam (Kingma and Ba, ICLR 2015). */
export interface AdamSettings {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
}

/** Adam's settings as its authors have them, without weight decay. */
export const defaultAdam: AdamSettings = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };

/** A graph that trains: one run is one step. */
export interface TrainingStep {
  /** Inputs: the model's, `target`, `learningRate`, and `teacher` where it is distilled from one; output: `loss`. */
  readonly graph: Graph;
  /** The optimiser's tensors, to be put in the state beside the model's. */
  readonly tensors: ReadonlyMap<string, TensorData>;
  /** Names of the model's tensors that a step changes: live parameters and running statistics. */
  readonly changing: readonly string[];
}

/** Names of tensors that belong to the optimiser. */
export const optimiserPrefix = "optimiser:";
const stepName = `${optimiserPrefix}step`;

/** How a training step is drawn. */
export interface TrainingStepOptions {
  /** Decides dropout. */
  readonly seed: number;
  readonly adam?: AdamSettings;
  /** Share of the loss that is the distance from the input `teacher`, another model's forecast; 0 by default. */
  readonly distillation?: number;
}

/**
 * Draws one training step of a model: the training forward pass, mean squared error against `target`, the backward pass,
 * and Adam for every parameter the output depends on. Masked weights stay zero.
 */
export function drawTrainingStep(model: Model, options: TrainingStepOptions): TrainingStep {
  const { seed, adam = defaultAdam, distillation = 0 } = options;
  const tensors = new Map<string, TensorData>();
  const state = (b: Builder, name: string, data: TensorData): Value => {
    tensors.set(name, data);
    return b.tensor(name, "buffer", data);
  };
  let stepNow: Value | undefined;
  const forward = drawTrainingForward(model.graph, (b) => {
    stepNow = state(b, stepName, float32([], [0]));
    return { seed: b.constant(float32([], [seed % 2 ** 24]), `${optimiserPrefix}seed`), step: stepNow };
  });
  const b = forward.builder;
  const forecast = [...forward.outputs.values()][0]!;
  const error = meanSquaredError(b, forecast, b.input("target", forecast.shape));
  const loss =
    distillation === 0
      ? error
      : add(
          b,
          scale(b, error, 1 - distillation),
          scale(b, meanSquaredError(b, forecast, b.input("teacher", forecast.shape)), distillation),
        );
  const rate = b.input("learningRate", []);
  const parameters = [...forward.parameters];
  if (parameters.length === 0)
    throw new EspalierError("the model has no parameter that its output depends on: nothing to train.");
  const gradients = differentiate(
    b,
    loss,
    parameters.map(([, value]) => value),
  );
  const nextStep = add(b, stepNow!, b.constant(1));
  parameters.forEach(([name, parameter], i) => {
    const gradient = gradients[i];
    if (gradient === undefined) return;
    const shape = parameter.shape as readonly number[];
    const moments = ["m", "v"].map((moment) => state(b, `${optimiserPrefix}${moment}:${name}`, zeros(shape)));
    const mask = model.masks.get(name);
    const kept =
      mask === undefined
        ? []
        : [state(b, `${optimiserPrefix}mask:${name}`, float32(shape, maskValues(mask)))];
    const inputs = [parameter, gradient, ...moments, nextStep, rate, ...kept];
    const [updated, m, v] = b.applyAll(adamOperator, inputs, { ...adam });
    b.update(name, updated!);
    b.update(`${optimiserPrefix}m:${name}`, m!);
    b.update(`${optimiserPrefix}v:${name}`, v!);
  });
  b.update(stepName, nextStep);
  b.output("loss", loss);
  const { graph, data } = b.build();
  for (const [name, value] of data) if (!model.tensors.has(name)) tensors.set(name, value);
  const changing = graph.updates.flatMap(({ tensor }) => (model.tensors.has(tensor) ? [tensor] : []));
  return { graph, tensors, changing };
}
