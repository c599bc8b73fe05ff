import { ShapeError } from "../errors.ts";
import type { Builder, Value } from "../graph/builder.ts";
import { sameExtent } from "../graph/extent.ts";
import { around, ndarray } from "../reference/array.ts";
import { reduceSum } from "./broadcast.ts";
import { add, div, mul, sqrt, sub } from "./elementwise.ts";
import type { EpsilonAttributes } from "./layer-normalization.ts";
import { reshape } from "./layout.ts";
import { checkNumbers, defineOperator, type Operator } from "./operator.ts";

/** The number added to variances, and the rate at which running statistics follow. */
export type BatchNormalizationAttributes = EpsilonAttributes & {
  /** Weight of the batch in the new running statistics, in PyTorch's sense (ONNX: 1 − momentum). */
  readonly momentum: number;
};

/**
 * (x − mean) / √(variance + ε) · scale + bias for each channel (axis 1), with running statistics. Inputs x [N, C, …],
 * scale, bias, mean, variance [C]. ONNX `BatchNormalization`. Ioffe and Szegedy, 2015.
 */
export const batchNormalizationOperator: Operator<BatchNormalizationAttributes> =
  defineOperator<BatchNormalizationAttributes>({
    name: "BatchNormalization",
    arity: 5,
    simplify: ([, scale, bias]) => (scale && bias ? "zero" : undefined),
    infer([x, ...vectors], { epsilon, momentum }) {
      checkNumbers({ epsilon, momentum });
      if (x!.shape.length < 2) throw new ShapeError("it needs a channel axis (rank 2 or more)");
      if (vectors.some((v) => v.shape.length !== 1 || !sameExtent(v.shape[0]!, x!.shape[1]!))) {
        throw new ShapeError("scale, bias, mean and variance must be as long as axis 1");
      }
      return [x!];
    },
    couple(coupling, [x, ...vectors], [y]) {
      coupling.sameAll(x!, y!);
      for (const vector of vectors) coupling.same(x!.axes[1]!, vector.axes[0]!);
      coupling.note(x!.axes[1]!, "embedding");
    },
    train(b, [x, scale, bias, mean, variance], attributes, context) {
      const [y, newMean, newVariance] = b.applyAll(
        batchNormalizationTraining,
        [x!, scale!, bias!, mean!, variance!],
        attributes,
      );
      context.update(mean!, newMean!);
      context.update(variance!, newVariance!);
      return [y!];
    },
    /** Running statistics are buffers, so they have no gradient. */
    gradient(b, { inputs: [x, scaleVector, , mean, variance], gradients: [dy], attributes: { epsilon } }) {
      const none = [undefined, undefined, undefined, undefined, undefined];
      if (dy === undefined) return none;
      const channels = x!.shape[1]!;
      const ranked = (vector: Value) =>
        reshape(
          b,
          vector,
          x!.shape.map((_, axis) => (axis === 1 ? channels : 1)),
        );
      const deviation = sqrt(b, add(b, ranked(variance!), b.constant(epsilon)));
      const others = x!.shape.flatMap((_, axis) => (axis === 1 ? [] : [axis]));
      const dx = div(b, mul(b, dy, ranked(scaleVector!)), deviation);
      const normalized = div(b, sub(b, x!, ranked(mean!)), deviation);
      return [
        dx,
        reduceSum(b, mul(b, dy, normalized), others),
        reduceSum(b, dy, others),
        undefined,
        undefined,
      ];
    },
    evaluate([x, scale, bias, mean, variance], { epsilon }) {
      const out = ndarray(x!.shape);
      perChannel(x!.shape, (c, at) => {
        const normalized = (x!.data[at]! - mean!.data[c]!) / Math.sqrt(variance!.data[c]! + epsilon);
        out.data[at] = normalized * scale!.data[c]! + bias!.data[c]!;
      });
      return [out];
    },
  });

/**
 * BatchNormalization with the statistics of the batch: (x, scale, bias, mean, variance) → (y, new mean, new variance).
 * The running variance uses the unbiased estimate, like PyTorch.
 */
export const batchNormalizationTraining: Operator<BatchNormalizationAttributes> =
  defineOperator<BatchNormalizationAttributes>({
    name: "BatchNormalizationTraining",
    arity: 5,
    infer: (inputs, attributes) => [
      ...batchNormalizationOperator.infer(inputs, attributes),
      inputs[3]!,
      inputs[4]!,
    ],
    couple(coupling, [x, ...vectors], [y, ...statistics]) {
      coupling.sameAll(x!, y!);
      for (const vector of [...vectors, ...statistics]) coupling.same(x!.axes[1]!, vector.axes[0]!);
    },
    gradient(b, { inputs: [x, scale], gradients, attributes }) {
      const none = [undefined, undefined, undefined, undefined, undefined];
      if (gradients[0] === undefined) return none;
      return [
        ...b.applyAll(batchNormalizationGradient, [x!, scale!, gradients[0]], attributes),
        undefined,
        undefined,
      ];
    },
    evaluate([x, scale, bias, mean, variance], { epsilon, momentum }) {
      const batch = channelMoments(x!.shape, x!.data);
      const out = ndarray(x!.shape);
      perChannel(x!.shape, (c, at) => {
        const normalized = (x!.data[at]! - batch.mean[c]!) / Math.sqrt(batch.variance[c]! + epsilon);
        out.data[at] = normalized * scale!.data[c]! + bias!.data[c]!;
      });
      const unbiased = batch.count / Math.max(1, batch.count - 1);
      const blend = (old: number, now: number) => (1 - momentum) * old + momentum * now;
      return [
        out,
        { shape: mean!.shape, data: mean!.data.map((old, c) => blend(old, batch.mean[c]!)) },
        {
          shape: variance!.shape,
          data: variance!.data.map((old, c) => blend(old, batch.variance[c]! * unbiased)),
        },
      ];
    },
  });

/** Gradients of BatchNormalizationTraining: (x, scale, dy) → (dx, dscale, dbias). */
export const batchNormalizationGradient: Operator<BatchNormalizationAttributes> =
  defineOperator<BatchNormalizationAttributes>({
    name: "BatchNormalizationGradient",
    arity: 3,
    infer: ([x, scale]) => [x!, scale!, scale!],
    couple(coupling, [x, scale, dy], [dx, dscale, dbias]) {
      coupling.sameAll(x!, dx!);
      coupling.sameAll(dy!, dx!);
      for (const vector of [scale!, dscale!, dbias!]) coupling.same(x!.axes[1]!, vector.axes[0]!);
    },
    evaluate([x, scale, dy], { epsilon }) {
      const { mean, variance, count } = channelMoments(x!.shape, x!.data);
      const dx = ndarray(x!.shape);
      const dscale = ndarray(scale!.shape);
      const dbias = ndarray(scale!.shape);
      const normalized = (c: number, at: number) =>
        (x!.data[at]! - mean[c]!) / Math.sqrt(variance[c]! + epsilon);
      perChannel(x!.shape, (c, at) => {
        dscale.data[c]! += dy!.data[at]! * normalized(c, at);
        dbias.data[c]! += dy!.data[at]!;
      });
      perChannel(x!.shape, (c, at) => {
        const centred =
          dy!.data[at]! - dbias.data[c]! / count - (normalized(c, at) * dscale.data[c]!) / count;
        dx.data[at] = (centred * scale!.data[c]!) / Math.sqrt(variance[c]! + epsilon);
      });
      return [dx, dscale, dbias];
    },
  });

function perChannel(shape: readonly number[], visit: (channel: number, at: number) => void): void {
  const { outer, extent, inner } = around(shape, 1);
  for (let at = 0; at < outer * extent * inner; at++) visit(Math.floor(at / inner) % extent, at);
}

function channelMoments(shape: readonly number[], data: Float64Array) {
  const channels = shape[1]!;
  const count = data.length / channels;
  const mean = new Float64Array(channels);
  const variance = new Float64Array(channels);
  perChannel(shape, (c, at) => {
    mean[c]! += data[at]! / count;
  });
  perChannel(shape, (c, at) => {
    variance[c]! += (data[at]! - mean[c]!) ** 2 / count;
  });
  return { mean, variance, count };
}

/** Draws BatchNormalization of x [N, C, …] with vectors [C]; ε 1e-5 and momentum 0.1 are PyTorch's. */
export function batchNormalization(
  b: Builder,
  x: Value,
  parameters: { readonly scale: Value; readonly bias: Value; readonly mean: Value; readonly variance: Value },
  attributes: BatchNormalizationAttributes = { epsilon: 1e-5, momentum: 0.1 },
): Value {
  const { scale, bias, mean, variance } = parameters;
  return b.apply(batchNormalizationOperator, [x, scale, bias, mean, variance], attributes);
}
