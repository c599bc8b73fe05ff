import {
  EspalierError,
  float32,
  type Model,
  prunableDimensions,
  type TensorData,
  zeros,
} from "@espalier/core";
import {
  adamOperator,
  add,
  type Builder,
  differentiate,
  drawTrainingForward,
  type Graph,
  maskValues,
  meanSquaredError,
  scale,
  type Value,
} from "@espalier/core/graph";
import { groupLasso } from "@espalier/core/pruning";

/** Settings of Adam (Kingma and Ba, ICLR 2015). */
export interface AdamSettings {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
}

/** The default settings of Adam's authors, without weight decay. */
export const defaultAdam: AdamSettings = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };

/** A training graph: one run is one step. */
export interface TrainingStep {
  /** Inputs: the model's, `target`, `learningRate`, and `teacher` if there is one; output: `loss`. */
  readonly graph: Graph;
  /** The optimiser's tensors, which belong in the state together with the model's. */
  readonly tensors: ReadonlyMap<string, TensorData>;
  /** Names of the model's tensors that a step changes: live parameters and running statistics. */
  readonly changing: readonly string[];
}

/** Names of tensors that belong to the optimiser. */
export const optimiserPrefix = "optimiser:";
const stepName = `${optimiserPrefix}step`;

/** Name of the tensor that holds a parameter's mask during training: 1 where it is kept. */
export function maskName(parameter: string): string {
  return `${optimiserPrefix}mask:${parameter}`;
}

/** Names of Adam's two moments of a parameter. */
export function momentNames(parameter: string): readonly [m: string, v: string] {
  return [`${optimiserPrefix}m:${parameter}`, `${optimiserPrefix}v:${parameter}`];
}

/** Options of a training step. */
export interface TrainingStepOptions extends LossOptions {
  readonly adam?: AdamSettings;
}

/** Options of a training step's loss. */
export interface LossOptions {
  /** Seed of dropout. */
  readonly seed: number;
  /** Weight of the distance to the input `teacher`, another model's forecast; 0 by default. */
  readonly distillation?: number;
  /** Weight of a group lasso over everything that structured pruning can remove; 0 by default. */
  readonly groupPenalty?: number;
}

/**
 * Draws one training step of a model: the training forward pass, mean squared error against `target`, the backward pass,
 * and Adam for every parameter the output depends on. Masked weights stay zero. `loss` is without the group penalty.
 */
export function drawTrainingStep(model: Model, options: TrainingStepOptions): TrainingStep {
  const { adam = defaultAdam } = options;
  const { b, tensors, state, step, loss, parameters, gradients } = drawGradients(model, options);
  const rate = b.input("learningRate", []);
  const nextStep = add(b, step, b.constant(1));
  parameters.forEach(([name, parameter], i) => {
    const gradient = gradients[i];
    if (gradient === undefined) return;
    const shape = parameter.shape as readonly number[];
    const names = momentNames(name);
    const moments = names.map((moment) => state(moment, zeros(shape)));
    const mask = model.masks.get(name);
    const kept = mask === undefined ? [] : [state(maskName(name), float32(shape, maskValues(mask)))];
    const inputs = [parameter, gradient, ...moments, nextStep, rate, ...kept];
    const [updated, m, v] = b.applyAll(adamOperator, inputs, { ...adam });
    b.update(name, updated!);
    b.update(names[0], m!);
    b.update(names[1], v!);
  });
  b.update(stepName, nextStep);
  b.output("loss", loss);
  const { graph, data } = b.build();
  for (const [name, value] of data) if (!model.tensors.has(name)) tensors.set(name, value);
  const changing = graph.updates.flatMap(({ tensor }) => (model.tensors.has(tensor) ? [tensor] : []));
  return { graph, tensors, changing };
}

/** Name of the output for a parameter's gradient in `drawLossGradients`. */
export function gradientName(parameter: string): string {
  return `gradient:${parameter}`;
}

/**
 * Draws the gradients of a training step's loss by some parameters, including masked weights, as outputs; changes
 * nothing. Runs on the state of a training step that was drawn with the same options.
 */
export function drawLossGradients(model: Model, names: readonly string[], options: LossOptions): Graph {
  const { b, parameters, gradients } = drawGradients(model, options);
  parameters.forEach(([name], i) => {
    if (names.includes(name) && gradients[i] !== undefined) b.output(gradientName(name), gradients[i]);
  });
  return { ...b.build().graph, updates: [] };
}

/** The loss, its gradients, and the drawing so far. */
function drawGradients(model: Model, { seed, distillation = 0, groupPenalty = 0 }: LossOptions) {
  const tensors = new Map<string, TensorData>();
  const on = (b: Builder, name: string, data: TensorData): Value => {
    tensors.set(name, data);
    return b.tensor(name, "buffer", data);
  };
  let step: Value | undefined;
  const forward = drawTrainingForward(model.graph, (b) => {
    step = on(b, stepName, float32([], [0]));
    return { seed: b.constant(float32([], [seed % 2 ** 24]), `${optimiserPrefix}seed`), step };
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
  const parameters = [...forward.parameters];
  if (parameters.length === 0)
    throw new EspalierError(
      "the model has no parameter that its output depends on, so there is nothing to train.",
    );
  const dimensions = groupPenalty === 0 ? [] : prunableDimensions(model.dimensions);
  const penalty = groupLasso(b, model, dimensions, forward.parameters);
  const whole = penalty === undefined ? loss : add(b, loss, scale(b, penalty, groupPenalty));
  const gradients = differentiate(
    b,
    whole,
    parameters.map(([, value]) => value),
  );
  const state = (name: string, data: TensorData) => on(b, name, data);
  return { b, tensors, state, step: step!, loss, parameters, gradients };
}
