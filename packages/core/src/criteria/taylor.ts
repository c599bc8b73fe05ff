import { differentiate } from "../autodiff/differentiate.ts";
import { EspalierError } from "../errors.ts";
import { Builder } from "../graph/builder.ts";
import type { Model } from "../model/model.ts";
import { perModel } from "../model/per-model.ts";
import { reduceMean } from "../operators/broadcast.ts";
import { mul, sub } from "../operators/elementwise.ts";
import type { Collect, Collection } from "../pruning/strategy.ts";
import { type Criterion, groupSums, type ScoreRequest, weightsOf } from "./criterion.ts";

/**
 * First-order Taylor expansion of the loss: |g·w| of a weight, |Σ g·w| of a group, with the gradient g of the squared
 * error summed over calibration batches. Molchanov et al., CVPR 2019.
 */
export function taylor(): Criterion {
  const remembered = perModel<ReadonlyMap<string, Float32Array>>();
  const products = (request: ScoreRequest) => remembered(request.model, () => gradientProducts(request));
  return {
    name: "taylor",
    async weights(request, tensors) {
      const all = await products(request);
      return new Map(tensors.map((name) => [name, all.get(name)!.map(Math.abs)]));
    },
    async indices(request, dimensions) {
      const all = await products(request);
      const sums = await groupSums(request.model, dimensions, async () => all);
      return sums.map((scores) => ({ ...scores, values: scores.values.map(Math.abs) }));
    },
  };
}

/** g·w for every trainable tensor; zero for those the loss does not depend on. */
async function gradientProducts({
  model,
  collect,
}: ScoreRequest): Promise<ReadonlyMap<string, Float32Array>> {
  const gradients = await lossGradients(model, collect, "taylor");
  return new Map(
    model.graph.tensors.flatMap(({ name, role }) => {
      if (role !== "trainable") return [];
      const weights = weightsOf(model, name);
      const g = gradients.get(name);
      return [
        [
          name,
          g === undefined ? new Float32Array(weights.length) : weights.map((w, i) => w * g[i]!),
        ] as const,
      ];
    }),
  );
}

/** Gradients of the mean squared error, summed over calibration batches, by parameter. */
async function lossGradients(
  model: Model,
  collect: Collect | undefined,
  criterion: string,
): Promise<ReadonlyMap<string, Float32Array>> {
  if (collect === undefined) {
    throw new EspalierError(
      `criterion "${criterion}" looks at data: give calibration batches (\`collect\`), or choose l1, l2 or wsap.`,
    );
  }
  const collection = gradientGraph(model);
  const sums = await collect(collection);
  return new Map(
    collection.outputs.map((name) => [name.slice(prefix.length), sums.get(name)!.data as Float32Array]),
  );
}

const prefix = "gradient:";

/** The evaluation graph with its loss's gradients as outputs, one for each parameter it depends on. */
function gradientGraph(model: Model): Collection {
  const b = Builder.create(model.graph);
  const forecast = b.value(model.graph.outputs[0]!.value);
  const error = sub(b, forecast, b.input("target", forecast.shape));
  const loss = reduceMean(
    b,
    mul(b, error, error),
    forecast.shape.map((_, axis) => axis),
  );
  const parameters = model.graph.tensors.filter(({ role }) => role === "trainable");
  const gradients = differentiate(
    b,
    loss,
    parameters.map(({ value }) => b.value(value)),
  );
  const outputs: string[] = [];
  parameters.forEach(({ name }, i) => {
    const gradient = gradients[i];
    if (gradient === undefined) return;
    outputs.push(`${prefix}${name}`);
    b.output(`${prefix}${name}`, gradient);
  });
  const { graph, data } = b.build();
  return { graph, tensors: new Map([...model.tensors, ...data]), outputs };
}
