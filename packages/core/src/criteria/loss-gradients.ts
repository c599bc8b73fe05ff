import { differentiate } from "../autodiff/differentiate.ts";
import { meanSquaredError } from "../autodiff/loss.ts";
import { EspalierError } from "../errors.ts";
import { Builder } from "../graph/builder.ts";
import type { Model } from "../model/model.ts";
import { mul } from "../operators/elementwise.ts";
import type { Collect, Collection } from "../pruning/strategy.ts";
import type { ScoreRequest } from "./criterion.ts";

/** The quantity that is summed over calibration batches: the gradient of the mean squared error, or its square. */
export type GradientSum = "gradient" | "square";

/** Sums over calibration batches, by parameter; parameters that the loss does not depend on are left out. */
export async function lossGradients(
  { model, collect }: ScoreRequest,
  sum: GradientSum,
  criterion: string,
): Promise<ReadonlyMap<string, Float32Array>> {
  const collection = gradientGraph(model, sum);
  const sums = await needData(collect, criterion)(collection);
  return new Map(
    collection.outputs.map((name) => [name.slice(prefix.length), sums.get(name)!.data as Float32Array]),
  );
}

/** Returns the collector that a criterion needs. Throws an EspalierError that names the criterion if there is none. */
export function needData(collect: Collect | undefined, criterion: string): Collect {
  if (collect !== undefined) return collect;
  throw new EspalierError(
    `criterion "${criterion}" needs data: give calibration batches (\`collect\`), or choose l1, l2, lamp or wsap.`,
  );
}

const prefix = "gradient:";

/** The evaluation graph with the gradients of its loss (or their squares) as outputs. */
function gradientGraph(model: Model, sum: GradientSum): Collection {
  const b = Builder.create(model.graph);
  const forecast = b.value(model.graph.outputs[0]!.value);
  const loss = meanSquaredError(b, forecast, b.input("target", forecast.shape));
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
    b.output(`${prefix}${name}`, sum === "square" ? mul(b, gradient, gradient) : gradient);
  });
  const { graph, data } = b.build();
  return { graph, tensors: new Map([...model.tensors, ...data]), outputs };
}
