import { scaleFactor } from "@espalier/core/graph";
import type { Tensor, Tf } from "../tensorflow-js.ts";
import type { Kernels } from "./kernel.ts";

export const elementwise: Kernels = {
  Add: ({ tf, inputs: [a, b] }) => tf.add(a!, b!),
  Sub: ({ tf, inputs: [a, b] }) => tf.sub(a!, b!),
  Mul: ({ tf, inputs: [a, b] }) => tf.mul(a!, b!),
  Div: ({ tf, inputs: [a, b] }) => (a!.dtype === "int32" ? wholeQuotient(tf, a!, b!) : tf.div(a!, b!)),
  Sqrt: ({ tf, inputs: [x] }) => tf.sqrt(x!),
  Relu: ({ tf, inputs: [x] }) => tf.relu(x!),
  ReluGradient: ({ tf, inputs: [x, dy] }) => tf.mul(dy!, tf.step(x!)),
  Elu: ({ tf, inputs: [x] }) => tf.elu(x!),
  EluGradient: ({ tf, inputs: [x, dy] }) => tf.mul(dy!, tf.exp(tf.minimum(x!, 0))),
  Tanh: ({ tf, inputs: [x] }) => tf.tanh(x!),
  Exp: ({ tf, inputs: [x] }) => tf.exp(x!),
  Log: ({ tf, inputs: [x] }) => tf.log(x!),
  Sigmoid: ({ tf, inputs: [x] }) => tf.sigmoid(x!),
  Erf: ({ tf, inputs: [x] }) => tf.erf(x!),
  Sin: ({ tf, inputs: [x] }) => tf.sin(x!),
  Cos: ({ tf, inputs: [x] }) => tf.cos(x!),
  Pow: ({ tf, inputs: [x, y] }) => tf.pow(x!, y!),
  Clip: ({ tf, inputs: [x], attributes }) => {
    const { min, max } = attributes;
    const raised = min === undefined ? x! : tf.maximum(x!, min);
    return max === undefined ? raised : tf.minimum(raised, max);
  },
  ClipGradient: ({ tf, inputs: [x, dy], attributes }) => {
    const { min, max } = attributes;
    const above = min === undefined ? tf.onesLike(x!) : tf.cast(tf.greaterEqual(x!, min), "float32");
    const below = max === undefined ? above : tf.mul(above, tf.cast(tf.lessEqual(x!, max), "float32"));
    return tf.mul(dy!, below);
  },
  Gelu: ({ tf, inputs: [x] }) => tf.mul(x!, normalCdf(tf, x!)),
  GeluGradient: ({ tf, inputs: [x, dy] }) => {
    const density = tf.exp(tf.mul(tf.square(x!), -0.5));
    return tf.mul(dy!, tf.add(normalCdf(tf, x!), tf.mul(tf.mul(x!, density), 1 / Math.sqrt(2 * Math.PI))));
  },
  Greater: ({ tf, inputs: [a, b] }) => tf.cast(tf.greater(a!, b!), "float32"),
  Equal: ({ tf, inputs: [a, b] }) => tf.cast(tf.equal(a!, b!), "float32"),
  Where: ({ tf, inputs: [condition, a, b], outputs: [shape] }) =>
    tf.where(
      tf.broadcastTo(tf.notEqual(condition!, 0), shape! as never),
      tf.broadcastTo(a!, shape! as never),
      tf.broadcastTo(b!, shape! as never),
    ),
  Cast: ({ tf, inputs: [x], attributes }) => tf.cast(x!, attributes.to),
  Floor: ({ tf, inputs: [x] }) => tf.floor(x!),
  Round: ({ tf, inputs: [x] }) => tf.round(x!),
  Scale: ({ tf, inputs: [x], attributes, batchSize }) => tf.mul(x!, scaleFactor(attributes, batchSize)),
};

/** A quotient without its fraction: TensorFlow.js rounds it down. */
function wholeQuotient(tf: Tf, a: Tensor, b: Tensor): Tensor {
  const quotient = tf.floorDiv(a, b);
  const exact = tf.equal(tf.mul(quotient, b), a);
  const down = tf.logicalAnd(tf.less(quotient, tf.scalar(0, "int32")), tf.logicalNot(exact));
  return tf.add(quotient, tf.cast(down, "int32"));
}

function normalCdf(tf: Tf, x: Tensor): Tensor {
  return tf.mul(tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1), 0.5);
}
