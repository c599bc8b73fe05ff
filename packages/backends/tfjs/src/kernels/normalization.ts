import type { BatchNormalizationAttributes, EpsilonAttributes } from "@espalier/core/graph";
import type { Tensor, Tf } from "../tensorflow-js.ts";
import type { Kernels } from "./kernel.ts";

export const normalization: Kernels = {
  Softmax: ({ tf, inputs: [x], attributes }) => {
    const rank = x!.shape.length;
    const axis = positive(attributes.axis, rank);
    if (axis === rank - 1) return tf.softmax(x!);
    const order = swap(rank, axis);
    return tf.transpose(tf.softmax(tf.transpose(x!, order)), order);
  },
  SoftmaxGradient: ({ tf, inputs: [y, dy], attributes }) => {
    const axis = positive(attributes.axis, y!.shape.length);
    const weighted = tf.mul(y!, dy!);
    return tf.sub(weighted, tf.mul(y!, tf.sum(weighted, axis, true)));
  },
  LayerNormalization: ({ tf, inputs: [x, scale, bias], attributes }) => {
    const { normalized } = lastAxis(tf, x!, attributes);
    return tf.add(tf.mul(normalized, scale!), bias!);
  },
  LayerNormalizationGradient: ({ tf, inputs: [x, scale, dy], attributes }) => {
    const width = x!.shape.at(-1)!;
    const { normalized, inverse } = lastAxis(tf, x!, attributes);
    const g = tf.mul(dy!, scale!);
    const weighted = tf.mul(g, normalized);
    const mean = tf.mean(g, -1, true);
    const slope = tf.mul(normalized, tf.mean(weighted, -1, true));
    const dx = tf.mul(tf.sub(tf.sub(g, mean), slope), inverse);
    const columns = (v: Tensor) => tf.sum(tf.reshape(v, [-1, width]), 0);
    return [dx, columns(tf.mul(dy!, normalized)), columns(dy!)];
  },
  BatchNormalization: ({ tf, inputs: [x, scale, bias, mean, variance], attributes }) => {
    const { epsilon } = attributes;
    const factor = tf.mul(scale!, tf.rsqrt(tf.add(variance!, epsilon)));
    const shift = tf.sub(bias!, tf.mul(mean!, factor));
    return tf.add(tf.mul(x!, channels(tf, factor, x!)), channels(tf, shift, x!));
  },
  BatchNormalizationTraining: ({ tf, inputs: [x, scale, bias, mean, variance], attributes }) => {
    const { momentum } = attributes;
    const own = channelMoments(tf, x!, attributes);
    const y = tf.add(tf.mul(own.normalized, channels(tf, scale!, x!)), channels(tf, bias!, x!));
    const count = x!.size / x!.shape[1]!;
    const blend = (old: Tensor, now: Tensor, factor: number) =>
      tf.add(tf.mul(old, 1 - momentum), tf.mul(tf.reshape(now, old.shape), momentum * factor));
    return [y, blend(mean!, own.mean, 1), blend(variance!, own.variance, count / Math.max(1, count - 1))];
  },
  BatchNormalizationGradient: ({ tf, inputs: [x, scale, dy], attributes }) => {
    const { normalized, inverse } = channelMoments(tf, x!, attributes);
    const axes = others(x!);
    const count = x!.size / x!.shape[1]!;
    const dscale = tf.sum(tf.mul(dy!, normalized), axes);
    const dbias = tf.sum(dy!, axes);
    const mean = channels(tf, tf.div(dbias, count), x!);
    const slope = tf.mul(normalized, channels(tf, tf.div(dscale, count), x!));
    const dx = tf.mul(tf.sub(tf.sub(dy!, mean), slope), tf.mul(inverse, channels(tf, scale!, x!)));
    return [dx, dscale, dbias];
  },
};

function lastAxis(
  tf: Tf,
  x: Tensor,
  { epsilon }: EpsilonAttributes,
): { normalized: Tensor; inverse: Tensor } {
  const centred = tf.sub(x, tf.mean(x, -1, true));
  const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), epsilon));
  return { normalized: tf.mul(centred, inverse), inverse };
}

function channelMoments(tf: Tf, x: Tensor, { epsilon }: BatchNormalizationAttributes) {
  const axes = others(x);
  const mean = tf.mean(x, axes, true);
  const centred = tf.sub(x, mean);
  const variance = tf.mean(tf.square(centred), axes, true);
  const inverse = tf.rsqrt(tf.add(variance, epsilon));
  return { mean, variance, inverse, normalized: tf.mul(centred, inverse) };
}

/** All axes but the channels', which is axis 1. */
function others(x: Tensor): number[] {
  return x.shape.flatMap((_, axis) => (axis === 1 ? [] : [axis]));
}

/** A vector of channels, shaped to broadcast along axis 1. */
function channels(tf: Tf, vector: Tensor, x: Tensor): Tensor {
  return tf.reshape(
    vector,
    x.shape.map((extent, axis) => (axis === 1 ? extent : 1)),
  );
}

function positive(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

/** The order of axes that exchanges one with the last. */
function swap(rank: number, axis: number): number[] {
  const order = Array.from({ length: rank }, (_, i) => i);
  [order[axis], order[rank - 1]] = [rank - 1, axis];
  return order;
}
