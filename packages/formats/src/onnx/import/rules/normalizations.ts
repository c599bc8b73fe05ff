import {
  add,
  type Builder,
  batchNormalization,
  div,
  type Extent,
  elementsOf,
  equal,
  exp,
  layerNormalization,
  log,
  mul,
  printShape,
  reduceMean,
  reduceSum,
  reshape,
  type Shape,
  sameShape,
  softmax,
  sqrt,
  sub,
  type Value,
} from "@espalier/core/graph";
import { axisOf, type Call, fixedExtent, lift, type Rule, valueInput } from "../call.ts";
import { UnreadableError } from "../errors.ts";
import { build, type Known } from "../known.ts";
import { expandTo } from "../layout.ts";
import { absolute } from "./activations.ts";
import { largestAlong } from "./windows.ts";

/** Softmax and normalisations. */

function last(call: Call): [Value, number] {
  const x = valueInput(call, 0);
  return [x, axisOf(call.attributes.int("axis", -1), x.shape.length)];
}

const softmaxRule: Rule = (call) => {
  const [x, axis] = last(call);
  fixedExtent(x.shape[axis]!, "Softmax along the batch axis");
  return softmax(call.b, x, axis);
};

/** x − max − ln Σ e^(x − max). */
const logSoftmax: Rule = (call) => {
  const { b } = call;
  const [x, axis] = last(call);
  const shifted = sub(b, x, largestAlong(b, x, axis));
  return sub(b, shifted, log(b, reduceSum(b, exp(b, shifted), [axis], true)));
};

/** A vector of equal numbers, for a normalisation without its own. */
function vector(call: Call, size: number, value: number): Value {
  const known: Known = build("float", [size], () => [value, 0]);
  const name = [call.module, value === 0 ? "zeros" : "ones"].filter(Boolean).join(".");
  return lift(call, known, { as: "operand", name });
}

/**
 * A parameter of a normalisation over `axes`. If it has numbers for these axes only, it is repeated to all of them;
 * undefined if it differs along others.
 */
function along(b: Builder, parameter: Value, axes: Shape): Value | undefined {
  const { shape } = parameter;
  const more = Math.max(0, shape.length - axes.length);
  const size = elementsOf(axes) as number;
  if (shape.length === 1 && shape[0] === size) return parameter;
  if (shape.slice(0, more).some((extent) => extent !== 1)) return undefined;
  const own = reshape(b, parameter, shape.slice(more));
  return reshape(b, expandTo(b, own, axes), [size]);
}

function nameOf({ module }: Call, part: "weight" | "bias") {
  return module === "" ? {} : { name: `${module}.${part}` };
}

/** Normalises over the last axis, or over several, which are merged meanwhile. */
const layerNormalizationRule: Rule = (call) => {
  const { b, attributes } = call;
  const [x, axis] = last(call);
  const merged = x.shape.slice(axis);
  const size = fixedExtent(elementsOf(merged), "a normalisation over the batch axis");
  const parameter = (i: number, as: "weight" | "bias") => valueInput(call, i, { as, ...nameOf(call, as) });
  const scale = parameter(1, "weight");
  const bias = call.inputs[2] === undefined ? undefined : parameter(2, "bias");
  const gamma = along(b, scale, merged);
  const beta = bias === undefined ? vector(call, size, 0) : along(b, bias, merged);
  const rows = reshape(b, x, [...x.shape.slice(0, axis), size]);
  const epsilon = attributes.float("epsilon", 1e-5);
  const normalized = (by: Value, plus: Value) =>
    reshape(b, layerNormalization(b, rows, by, plus, epsilon), x.shape);
  const shifted = (value: Value) => (bias === undefined ? value : add(b, value, bias));
  const y =
    gamma !== undefined && beta !== undefined
      ? normalized(gamma, beta)
      : shifted(mul(b, normalized(vector(call, size, 1), vector(call, size, 0)), scale));
  if (!sameShape(y.shape, x.shape))
    throw new UnreadableError(`its scale or bias does not fit ${printShape(x.shape)}`);
  if (!call.wants[1] && !call.wants[2]) return y;
  const axes = x.shape.slice(axis).map((_, i) => axis + i);
  const mean = reduceMean(b, x, axes, true);
  const centred = sub(b, x, mean);
  const variance = reduceMean(b, mul(b, centred, centred), axes, true);
  const deviation = sqrt(b, add(b, variance, call.context.weights.number(epsilon)));
  return [y, mean, div(b, call.context.weights.number(1), deviation)];
};

/** x ÷ √(mean x² + ε) · γ over the axes from a given one on (opset 23; Zhang and Sennrich, 2019). */
const rmsNormalization: Rule = (call) => {
  const { b, attributes, context } = call;
  const [x, axis] = last(call);
  fixedExtent(elementsOf(x.shape.slice(axis)), "a normalisation over the batch axis");
  const axes = x.shape.slice(axis).map((_, i) => axis + i);
  const power = reduceMean(b, mul(b, x, x), axes, true);
  const epsilon = context.weights.number(attributes.float("epsilon", 1e-5));
  const gamma = valueInput(call, 1, { as: "weight", ...nameOf(call, "weight") });
  return mul(b, div(b, x, sqrt(b, add(b, power, epsilon))), gamma);
};

const batchNormalizationRule: Rule = (call) => {
  const { b, attributes } = call;
  if (attributes.int("training_mode", 0) !== 0)
    throw new UnreadableError("it is in training mode. Export the model in evaluation mode (model.eval())");
  const x = valueInput(call, 0);
  const parameter = (i: number, part: string) => {
    const as = i > 2 ? "statistic" : i === 1 ? "weight" : "bias";
    return valueInput(call, i, { as, ...(call.module !== "" && { name: `${call.module}.${part}` }) });
  };
  const parameters = {
    scale: parameter(1, "weight"),
    bias: parameter(2, "bias"),
    mean: parameter(3, "running_mean"),
    variance: parameter(4, "running_var"),
  };
  // ONNX counts the share that stays, PyTorch the share that is new.
  const momentum = Math.round((1 - attributes.float("momentum", 0.9)) * 1e6) / 1e6;
  return batchNormalization(b, x, parameters, { epsilon: attributes.float("epsilon", 1e-5), momentum });
};

/** (x − mean) ÷ √(variance + ε) over some axes. */
function standardized({ b, context }: Call, x: Value, axes: readonly number[], epsilon: number): Value {
  const centred = sub(b, x, reduceMean(b, x, axes, true));
  const variance = reduceMean(b, mul(b, centred, centred), axes, true);
  return div(b, centred, sqrt(b, add(b, variance, context.weights.number(epsilon))));
}

/** The same over all axes from a given one on: a LayerNormalization without weights, which handles pruning itself. */
function standardizedFrom(call: Call, x: Value, axis: number, epsilon: number): Value {
  const { b } = call;
  const size = fixedExtent(elementsOf(x.shape.slice(axis)), "a normalisation over the batch axis");
  const rows = reshape(b, x, [...x.shape.slice(0, axis), size]);
  const [ones, zeros] = [vector(call, size, 1), vector(call, size, 0)];
  return reshape(b, layerNormalization(b, rows, ones, zeros, epsilon), x.shape);
}

/** A vector along axis 1. */
function alongChannels(b: Builder, value: Value, rank: number): Value {
  return reshape(
    b,
    value,
    Array.from({ length: rank }, (_, axis): Extent => (axis === 1 ? value.shape[0]! : 1)),
  );
}

const instanceNormalization: Rule = (call) => {
  const { b } = call;
  const x = valueInput(call, 0);
  const rank = x.shape.length;
  const normalized = standardizedFrom(call, x, 2, call.attributes.float("epsilon", 1e-5));
  const gamma = alongChannels(b, valueInput(call, 1, { as: "weight", ...nameOf(call, "weight") }), rank);
  const beta = alongChannels(b, valueInput(call, 2, { as: "bias", ...nameOf(call, "bias") }), rank);
  return add(b, mul(b, normalized, gamma), beta);
};

/** Scale and bias have one number per channel or, before opset 21, per group. */
const groupNormalization: Rule = (call) => {
  const { b, attributes } = call;
  const x = valueInput(call, 0);
  const groups = attributes.int("num_groups");
  const [batch, channels, ...rest] = x.shape as readonly [Extent, number, ...Extent[]];
  if (!Number.isInteger(channels / groups))
    throw new UnreadableError(`${channels} channels cannot be divided into ${groups} equal groups`);
  const grouped = reshape(b, x, [batch, groups, channels / groups, ...rest]);
  const normalized = standardizedFrom(call, grouped, 2, attributes.float("epsilon", 1e-5));
  const parameter = (i: number, as: "weight" | "bias") => valueInput(call, i, { as, ...nameOf(call, as) });
  const [gamma, beta] = [parameter(1, "weight"), parameter(2, "bias")];
  const byGroup = gamma.shape[0] === groups && groups !== channels;
  const apply = (y: Value) =>
    add(b, mul(b, y, alongChannels(b, gamma, y.shape.length)), alongChannels(b, beta, y.shape.length));
  return byGroup ? reshape(b, apply(normalized), x.shape) : apply(reshape(b, normalized, x.shape));
};

const meanVarianceNormalization: Rule = (call) => {
  const x = valueInput(call, 0);
  const axes = (call.attributes.ints("axes") ?? [0, 2, 3]).map((axis) => axisOf(axis, x.shape.length));
  return standardized(call, x, axes, 1e-9);
};

/** x ÷ its norm along an axis. */
const lpNormalization: Rule = (call) => {
  const { b } = call;
  const [x, axis] = last(call);
  const p = call.attributes.int("p", 2);
  if (p !== 1 && p !== 2) throw new UnreadableError(`its norm ${p} is not supported`);
  const size = reduceSum(b, p === 1 ? absolute(b, x) : mul(b, x, x), [axis], true);
  const norm = p === 1 ? size : sqrt(b, size);
  // A vector of zeros stays zero.
  const { weights } = call.context;
  return div(b, x, add(b, norm, equal(b, norm, weights.number(0))));
};

export const normalizations: Readonly<Record<string, Rule>> = {
  Softmax: softmaxRule,
  LogSoftmax: logSoftmax,
  LayerNormalization: layerNormalizationRule,
  BatchNormalization: batchNormalizationRule,
  InstanceNormalization: instanceNormalization,
  GroupNormalization: groupNormalization,
  MeanVarianceNormalization: meanVarianceNormalization,
  LpNormalization: lpNormalization,
  RMSNormalization: rmsNormalization,
};
