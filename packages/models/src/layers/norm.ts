import { float32 } from "@espalier/core";
import {
  type Builder,
  batchNormalization,
  filled,
  layerNormalization,
  swapAxes,
  type Value,
} from "@espalier/core/graph";

/** PyTorch's, of both norms. */
const defaultEpsilon = 1e-5;

/** `nn.LayerNorm` over the last axis. */
export function layerNorm(b: Builder, name: string, x: Value, epsilon = defaultEpsilon): Value {
  const width = x.shape.at(-1) as number;
  const layer = b.scope(name);
  return layerNormalization(
    layer,
    x,
    layer.parameter("weight", [width], filled(1)),
    layer.parameter("bias", [width], filled(0)),
    epsilon,
  );
}

/** `nn.BatchNorm1d` over axis 1 of x [N, D, T]. */
export function channelNorm(b: Builder, name: string, x: Value, epsilon = defaultEpsilon): Value {
  const width = x.shape[1] as number;
  const layer = b.scope(name);
  const parameters = {
    scale: layer.parameter("weight", [width], filled(1)),
    bias: layer.parameter("bias", [width], filled(0)),
    mean: layer.buffer("running_mean", float32([width], new Float32Array(width))),
    variance: layer.buffer("running_var", float32([width], new Float32Array(width).fill(1))),
  };
  return batchNormalization(layer, x, parameters, { epsilon, momentum: 0.1 });
}

/** The same over the last axis of x [N, T, D], like PatchTST's, which wraps it between two transposes. */
export function batchNorm(b: Builder, name: string, x: Value, epsilon = defaultEpsilon): Value {
  return swapAxes(b, channelNorm(b, name, swapAxes(b, x, 1, 2), epsilon), 1, 2);
}
