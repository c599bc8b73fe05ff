import { differentiate } from "../autodiff/differentiate.ts";
import { meanSquaredError } from "../autodiff/loss.ts";
import { type PrunableDimension, prunableDimensions } from "../dimensions/dimensions.ts";
import { Builder, type Value } from "../graph/builder.ts";
import { batch, factorOf, isBatch } from "../graph/extent.ts";
import { dataValues, isLive, liveValues, type ValueId } from "../graph/graph.ts";
import { float32 } from "../graph/tensor.ts";
import type { Model } from "../model/model.ts";
import { perModel } from "../model/per-model.ts";
import { reduceSum } from "../operators/broadcast.ts";
import { mul } from "../operators/elementwise.ts";
import { reshape, transpose } from "../operators/layout.ts";
import { matMul } from "../operators/matmul.ts";
import type { Collection } from "../pruning/strategy.ts";
import type { Criterion, IndexScores, ScoreRequest } from "./criterion.ts";
import { outerExtent, type Slots, slotsOf } from "./groups.ts";
import { needData } from "./loss-gradients.ts";
import { taylor } from "./taylor.ts";

/**
 * Sensitivity, after SPAT, which ranks whole attention modules by it (Guo et al., arXiv 2505.08768): how much the loss of a
 * window changes, to first order, when what a head (or any other group) gives goes: s = Σ a·∂L/∂a over its last activation
 * a. The importance is √Σ s² over calibration windows. It grows with the mean of s and with its spread, so that windows
 * that gain do not hide those that lose, as they do in `taylor`; the paper's SEND is a normalised spread alone, taken while
 * the model trains. With |s| for s² it is the importance of heads of Michel et al., NeurIPS 2019. Single weights, whose
 * gradients are summed over windows, are ranked as `taylor` does.
 */
export function spat(): Criterion {
  const remembered = perModel<ReadonlyMap<string, Float64Array>>();
  const single = taylor();
  return {
    name: "spat",
    weights: (request, tensors) => single.weights(request, tensors),
    async indices(request, dimensions) {
      const all = await remembered(request.model, () => sensitivities(request));
      return dimensions.map((dimension): IndexScores => {
        const outer = outerExtent(request.model, dimension);
        const values = all.get(dimension.name) ?? new Float64Array(outer * dimension.size);
        return { dimension, outer, values };
      });
    },
  };
}

async function sensitivities({ model, collect }: ScoreRequest): Promise<ReadonlyMap<string, Float64Array>> {
  const collection = sensitivityGraph(model);
  const sums = await needData(collect, "spat")(collection);
  return new Map(
    [...sums].map(([name, { data }]) => [name.slice(prefix.length), Float64Array.from(data, Math.sqrt)]),
  );
}

const prefix = "sensitivity:";

/** The evaluation graph with Σ s² over the windows of a batch as outputs, one per prunable dimension. */
function sensitivityGraph(model: Model): Collection {
  const b = Builder.create(model.graph);
  const forecast = b.value(model.graph.outputs[0]!.value);
  const loss = meanSquaredError(b, forecast, b.input("target", forecast.shape));
  const chosen = prunableDimensions(model.dimensions).flatMap((dimension) => {
    const activation = lastActivation(model, dimension);
    return activation === undefined ? [] : [{ dimension, ...activation }];
  });
  const gradients = differentiate(
    b,
    loss,
    chosen.map(({ value }) => b.value(value)),
  );
  const outputs = chosen.flatMap(({ dimension, value, axis, slots }, i) => {
    const gradient = gradients[i];
    if (gradient === undefined) return [];
    const name = `${prefix}${dimension.name}`;
    const product = perWindow(b, mul(b, b.value(value), gradient), axis);
    const count = outerExtent(model, dimension) * dimension.size;
    const s = sumSlots(b, product, slots, count, `${name}:slots`);
    b.output(name, reduceSum(b, mul(b, s, s), [0]));
    return [name];
  });
  const { graph, data } = b.build();
  return { graph, tensors: new Map([...model.tensors, ...data]), outputs };
}

/**
 * The last value computed from the inputs that has the dimension on one axis, next to the axis of the dimension around
 * it.
 */
function lastActivation(
  { graph, dimensions }: Model,
  dimension: PrunableDimension,
): { readonly value: ValueId; readonly axis: number; readonly slots: Slots } | undefined {
  const live = liveValues(graph);
  const data = dataValues(graph);
  const sizes = (d: number) => dimensions.list[d]!.size;
  for (const node of graph.nodes.toReversed()) {
    if (!isLive(node, live)) continue;
    for (const value of node.outputs) {
      const { dtype, shape } = graph.values[value]!;
      if (!data[value] || dtype !== "float32" || !shape.some(isBatch)) continue;
      for (const [axis, e] of dimensions.axes[value]!.entries()) {
        const slots = isBatch(shape[axis]!) ? undefined : slotsOf(e, dimension, sizes);
        if (slots !== undefined) return { value, axis, slots };
      }
    }
  }
  return undefined;
}

/** Sums over everything but windows and one axis: [batch, extent of the axis]. */
function perWindow(b: Builder, x: Value, axis: number): Value {
  const windows = x.shape.findIndex(isBatch);
  const others = x.shape.flatMap((_, i) => (i === axis || i === windows ? [] : [i]));
  const summed = reduceSum(b, x, others);
  const rows = windows < axis ? summed : transpose(b, summed, [1, 0]);
  const each = factorOf(rows.shape[0]!);
  // Series, segments and similar axes that were merged into the batch belong to their window.
  return each === 1 ? rows : reduceSum(b, reshape(b, rows, [batch, each, rows.shape[1]!]), [1]);
}

/** Sums the positions of each slot: [batch, extent] → [batch, slots]. */
function sumSlots(b: Builder, x: Value, slots: Slots, count: number, name: string): Value {
  if (slots.length === count && slots.every((own, position) => own.length === 1 && own[0] === position))
    return x;
  const belongs = new Float32Array(slots.length * count);
  slots.forEach((own, position) => {
    for (const slot of own) belongs[position * count + slot] = 1;
  });
  return matMul(b, x, b.constant(float32([slots.length, count], belongs), name));
}
