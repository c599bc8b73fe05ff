import { type ScaleAttributes, scaleFactor } from "@espalier/core";
import type { Tensor, Tf } from "../runtime.ts";
import type { Kernels } from "./kernel.ts";

export const elementwise: Kernels = {
  Add: ({ tf, inputs: [a, b] }) => tf.add(a!, b!),
  Sub: ({ tf, inputs: [a, b] }) => tf.sub(a!, b!),
  Mul: ({ tf, inputs: [a, b] }) => tf.mul(a!, b!),
  Div: ({ tf, inputs: [a, b] }) => tf.div(a!, b!),
  Sqrt: ({ tf, inputs: [x] }) => tf.sqrt(x!),
  Relu: ({ tf, inputs: [x] }) => tf.relu(x!),
  ReluGradient: ({ tf, inputs: [x, dy] }) => tf.mul(dy!, tf.step(x!)),
  Elu: ({ tf, inputs: [x] }) => tf.elu(x!),
  EluGradient: ({ tf, inputs: [x, dy] }) => tf.mul(dy!, tf.exp(tf.minimum(x!, 0))),
  Tanh: ({ tf, inputs: [x] }) => tf.tanh(x!),
  Gelu: ({ tf, inputs: [x] }) => tf.mul(x!, normalCdf(tf, x!)),
  GeluGradient: ({ tf, inputs: [x, dy] }) => {
    const density = tf.exp(tf.mul(tf.square(x!), -0.5));
    return tf.mul(dy!, tf.add(normalCdf(tf, x!), tf.mul(tf.mul(x!, density), 1 / Math.sqrt(2 * Math.PI))));
  },
  Scale: ({ tf, inputs: [x], attributes, batchSize }) =>
    tf.mul(x!, scaleFactor(attributes as ScaleAttributes, batchSize)),
};

function normalCdf(tf: Tf, x: Tensor): Tensor {
  return tf.mul(tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1), 0.5);
}
