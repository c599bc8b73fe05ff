import {
  type Builder,
  filled,
  type Initializer,
  normal,
  uniformFanIn,
  type Value,
} from "../graph/builder.ts";
import { add } from "../operators/elementwise.ts";
import { layerNormalization } from "../operators/layer-normalization.ts";
import { swapAxes } from "../operators/layout.ts";
import { matMul } from "../operators/matmul.ts";

/** Number of tokens of x [batch, tokens, width]. */
export const tokensOf = (x: Value): number => x.shape[1] as number;
/** Width of x [batch, tokens, width]. */
export const widthOf = (x: Value): number => x.shape[2] as number;

/** Scales of a norm, no two alike. */
export const uneven: Initializer = (shape, random) =>
  Float32Array.from({ length: shape[0]! }, () => 0.5 + random());

/** Draws a layer normalisation whose scales and biases have an effect. */
export function norm(b: Builder, name: string, x: Value): Value {
  const width = x.shape.at(-1) as number;
  const weight = b.parameter(`${name}.weight`, [width], uneven);
  return layerNormalization(b, x, weight, b.parameter(`${name}.bias`, [width], normal));
}

/** Draws a linear layer over the last axis. */
export function linear(b: Builder, name: string, x: Value, to: number): Value {
  const from = x.shape.at(-1) as number;
  const weight = b.parameter(`${name}.weight`, [to, from], uniformFanIn(from));
  const bias = b.parameter(`${name}.bias`, [to], to % 2 === 0 ? normal : filled(0.3));
  return add(b, matMul(b, x, swapAxes(b, weight, 0, 1)), bias);
}

/** Draws a linear layer over the tokens of x [batch, tokens, width]. */
export function overTokens(b: Builder, name: string, x: Value, to: number): Value {
  return swapAxes(b, linear(b, name, swapAxes(b, x, 1, 2), to), 1, 2);
}
