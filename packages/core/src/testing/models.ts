import {
  Builder,
  type Drawing,
  filled,
  type Initializer,
  uniformFanIn,
  type Value,
} from "../graph/builder.ts";
import { batch, type Shape } from "../graph/extent.ts";
import type { Graph } from "../graph/graph.ts";
import { float32, type TensorData } from "../graph/tensor.ts";
import { maskFrom } from "../model/mask.ts";
import { createModel, type Model } from "../model/model.ts";
import { add, gelu, relu } from "../operators/elementwise.ts";
import { layerNormalization } from "../operators/layer-normalization.ts";
import { reshape, swapAxes, transpose } from "../operators/layout.ts";
import { matMul } from "../operators/matmul.ts";
import { dropout, randomStream } from "../operators/random.ts";
import { scale } from "../operators/scale.ts";
import { softmax } from "../operators/softmax.ts";
import type { MaskStep } from "../pruning/plan.ts";
import { applySteps } from "../pruning/prune.ts";

/** Creates a model from a drawing, with every parameter filled by its initialiser from a seed. */
export function modelOf(drawing: Drawing, seed = 1, name = "test"): Model {
  const tensors = new Map<string, TensorData>(drawing.data);
  for (const { name: tensor, value } of drawing.graph.tensors) {
    if (tensors.has(tensor)) continue;
    const shape = drawing.graph.values[value]!.shape as readonly number[];
    tensors.set(tensor, float32(shape, drawing.initializers.get(tensor)!(shape, randomStream(seed, tensor))));
  }
  return createModel({ name, graph: drawing.graph, tensors });
}

/** A graph that draws one softmax twice, and adds the two: backends that apply core's rules compute it once. */
export function equalNodes(): Graph {
  const b = Builder.create();
  const x = b.input("x", [batch, 4]);
  b.output("y", add(b, softmax(b, x, 1), softmax(b, x, 1)));
  return b.build().graph;
}

/** The model with about a third of the weights of every trainable tensor masked at random. */
export function maskRandomly(model: Model, seed = 1): Model {
  const steps = model.graph.tensors.flatMap(({ name, role }): MaskStep[] => {
    if (role !== "trainable") return [];
    const next = randomStream(seed, `mask ${name}`);
    const keep = maskFrom(model.tensors.get(name)!.shape, () => next() > 1 / 3);
    return [{ do: "mask", parameter: name, keep, because: "" }];
  });
  return applySteps(model, steps);
}

/** A linear layer with PyTorch's layout, for drawing test models. */
export function linear(
  b: Builder,
  name: string,
  x: Value,
  from: number,
  to: number,
  bias: Initializer = uniformFanIn(2),
): Value {
  const layer = b.scope(name);
  const weight = layer.parameter("weight", [to, from], uniformFanIn(from));
  return add(layer, matMul(layer, x, swapAxes(layer, weight, 0, 1)), layer.parameter("bias", [to], bias));
}

/** Multi-head self-attention over the middle axis of x [batch, tokens, width]. */
export function selfAttention(b: Builder, name: string, x: Value, width: number, heads: number): Value {
  const layer = b.scope(name);
  const tokens = x.shape[1]!;
  const split = (v: Value, perm: readonly number[]) =>
    transpose(layer, reshape(layer, v, [batch, tokens, heads, width / heads]), perm);
  const q = split(linear(layer, "query", x, width, width), [0, 2, 1, 3]);
  const k = split(linear(layer, "key", x, width, width), [0, 2, 3, 1]);
  const v = split(linear(layer, "value", x, width, width), [0, 2, 1, 3]);
  const scores = softmax(layer, scale(layer, matMul(layer, q, k), Math.sqrt(heads / width)), -1);
  const mixed = transpose(layer, matMul(layer, scores, v), [0, 2, 1, 3]);
  return linear(layer, "out", reshape(layer, mixed, [batch, tokens, width]), width, width);
}

/** Scale and shift of a normalisation over the last axis. */
export function norm(b: Builder, name: string, x: Value, width: number): Value {
  const layer = b.scope(name);
  return layerNormalization(
    layer,
    x,
    layer.parameter("weight", [width], filled(1)),
    layer.parameter("bias", [width], filled(0)),
  );
}

/** Sizes of the test encoder. */
export interface EncoderOptions {
  readonly tokens?: number;
  readonly input?: number;
  readonly width?: number;
  readonly feedForward?: number;
  readonly heads?: number;
  readonly layers?: number;
  readonly output?: number;
  readonly dropout?: number;
  readonly activation?: "gelu" | "relu";
}

/** A small transformer encoder for trying strategies and backends: x [batch, tokens, input] → y [batch, tokens, output]. */
export function drawEncoder(options: EncoderOptions = {}): Drawing {
  const { tokens = 5, input = 3, width = 8, feedForward = 16, heads = 2, layers = 2, output = 2 } = options;
  const { dropout: ratio = 0, activation = "gelu" } = options;
  const b = Builder.create();
  const shape: Shape = [batch, tokens, input];
  let x = linear(b, "embedding", b.input("x", shape), input, width);
  for (let i = 0; i < layers; i++) {
    const layer = b.scope(`layers.${i}`);
    const attended = dropout(layer, selfAttention(layer, "attention", x, width, heads), ratio);
    x = norm(layer, "norm1", add(layer, x, attended), width);
    const hidden = linear(layer, "feedForward1", x, width, feedForward);
    const active = activation === "gelu" ? gelu(layer, hidden) : relu(layer, hidden);
    x = norm(
      layer,
      "norm2",
      add(layer, x, dropout(layer, linear(layer, "feedForward2", active, feedForward, width), ratio)),
      width,
    );
  }
  b.output("y", linear(b, "projection", x, width, output));
  return b.build();
}
