import { differentiate } from "../autodiff/differentiate.ts";
import { meanSquaredError } from "../autodiff/loss.ts";
import { drawTrainingForward } from "../autodiff/training-graph.ts";
import type { Builder, Value } from "../graph/builder.ts";
import { float32 } from "../graph/tensor.ts";
import { maskValues } from "../model/mask.ts";
import type { Model } from "../model/model.ts";
import { perModel } from "../model/per-model.ts";
import { add, mul, sub } from "../operators/elementwise.ts";
import { scale } from "../operators/scale.ts";
import type { Collection } from "../pruning/strategy.ts";
import type { Criterion, ScoreRequest } from "./criterion.ts";
import { groupSums } from "./groups.ts";
import { needData } from "./loss-gradients.ts";

/** Options of the fine-tuning during which movement is observed. */
export interface MovementOptions {
  /** Number of steps, each on its own batch; 50 by default. */
  readonly steps?: number;
  /** Learning rate of gradient descent; 0.1 by default. */
  readonly learningRate?: number;
  /** Seed of dropout. */
  readonly seed?: number;
}

/**
 * Movement: −Σₜ w·∂L/∂w over the steps of a fine-tuning, summed for a group. Weights that move away from zero stay,
 * however small they are. Sanh et al., NeurIPS 2020. The steps are gradient descent on the dense weights of a copy,
 * carried out by updates of the collected graph; the model itself does not change. Scores are shifted so that the least
 * is 0. Intended for models that learn a new task: for a model that has converged on the same data, `fisher` leads to a
 * far smaller error.
 */
export function movement({ steps = 50, learningRate = 0.1, seed = 0 }: MovementOptions = {}): Criterion {
  const remembered = perModel<ReadonlyMap<string, Float32Array>>();
  const moved = (request: ScoreRequest) =>
    remembered(request.model, () => watch(request, { steps, learningRate, seed }));
  return {
    name: "movement",
    async weights(request, tensors) {
      const all = await moved(request);
      const least = lowest(tensors.map((name) => all.get(name)!));
      return new Map(tensors.map((name) => [name, all.get(name)!.map((value) => value - least)]));
    },
    async indices(request, dimensions) {
      const all = await moved(request);
      const sums = await groupSums(request.model, dimensions, async () => all);
      const least = lowest(sums.map(({ values }) => values));
      return sums.map((scores) => ({ ...scores, values: scores.values.map((value) => value - least) }));
    },
  };
}

function lowest(lists: readonly ArrayLike<number>[]): number {
  let least = 0;
  for (const list of lists) for (let i = 0; i < list.length; i++) least = Math.min(least, list[i]!);
  return least;
}

/** The movement of every trainable tensor; zero for those that the loss does not depend on. */
async function watch(
  { model, collect }: ScoreRequest,
  options: Required<MovementOptions>,
): Promise<ReadonlyMap<string, Float32Array>> {
  const sums = await needData(collect, "movement")(movingGraph(model, options));
  return new Map(
    model.graph.tensors.flatMap(({ name, role }) => {
      if (role !== "trainable") return [];
      const moved = sums.get(`${prefix}${name}`)?.data as Float32Array | undefined;
      return [[name, moved ?? new Float32Array(model.tensors.get(name)!.data.length)] as const];
    }),
  );
}

const prefix = "movement:";

/** One step of gradient descent whose outputs are −w·∂L/∂w before the step. */
function movingGraph(model: Model, { steps, learningRate, seed }: Required<MovementOptions>): Collection {
  const tensors = new Map(model.tensors);
  const state = (b: Builder, name: string, data: Float32Array, shape: readonly number[] = []): Value => {
    const tensor = float32(shape, data);
    tensors.set(name, tensor);
    return b.tensor(name, "buffer", tensor);
  };
  const stepName = `${prefix}step`;
  let step: Value | undefined;
  const {
    builder: b,
    outputs,
    parameters,
  } = drawTrainingForward(model.graph, (draft) => {
    step = state(draft, stepName, Float32Array.of(0));
    return { seed: state(draft, `${prefix}seed`, Float32Array.of(seed % 2 ** 24)), step };
  });
  const forecast = [...outputs.values()][0]!;
  const loss = meanSquaredError(b, forecast, b.input("target", forecast.shape));
  const gradients = differentiate(b, loss, [...parameters.values()]);
  const names = [...parameters].flatMap(([name, weight], i): string[] => {
    const gradient = gradients[i];
    if (gradient === undefined) return [];
    const mask = model.masks.get(name);
    const free =
      mask === undefined
        ? gradient
        : mul(b, gradient, state(b, `${prefix}mask:${name}`, maskValues(mask), mask.shape));
    b.output(`${prefix}${name}`, scale(b, mul(b, weight, free), -1));
    b.update(name, sub(b, weight, scale(b, free, learningRate)));
    return [`${prefix}${name}`];
  });
  b.update(stepName, add(b, step!, b.constant(1)));
  const { graph, data } = b.build();
  for (const [name, tensor] of data) if (!tensors.has(name)) tensors.set(name, tensor);
  return { graph, tensors, outputs: names, batches: steps };
}
