import {
  add,
  type Builder,
  batch,
  defineModel,
  filled,
  layerNormalization,
  type ModelFactory,
  matMul,
  relu,
  swapAxes,
  uniformFanIn,
  type Value,
} from "@espalier/core/graph";
import { z } from "zod";

// #region options
const options = z.strictObject({
  /** Rows the model sees, and rows it forecasts. */
  inputLength: z.int().min(1).default(96),
  horizon: z.int().min(1).default(24),
  series: z.int().min(1).default(7),
  /** Hidden width of the layers that mix time, and of those that mix series. */
  timeWidth: z.int().min(1).default(64),
  seriesWidth: z.int().min(1).default(32),
  layers: z.int().min(1).default(2),
});

/** Sizes of a mixer; all have defaults. */
export type MixerOptions = z.input<typeof options>;
// #endregion options

// #region model
/**
 * Perceptrons that mix along time and along series in turns (TSMixer, Chen et al., TMLR 2023).
 * x_enc [batch, inputLength, series] → output [batch, horizon, series]. Prunable: both hidden widths.
 */
export const mixer: ModelFactory<MixerOptions> = defineModel({
  name: "Mixer",
  options,
  draw(b: Builder, o: z.output<typeof options>) {
    let x = b.input("x_enc", [batch, o.inputLength, o.series]);
    for (let i = 0; i < o.layers; i++) {
      const layer = b.scope(`layers.${i}`);
      const time = perceptron(layer, "time", swapAxes(layer, norm(layer, "norm1", x), 1, 2), o.timeWidth);
      x = add(layer, x, swapAxes(layer, time, 1, 2));
      x = add(layer, x, perceptron(layer, "series", norm(layer, "norm2", x), o.seriesWidth));
    }
    return { output: swapAxes(b, linear(b, "projection", swapAxes(b, x, 1, 2), o.horizon), 1, 2) };
  },
});
// #endregion model

// #region layers
/** Two linear layers over the last axis, back to its length. */
function perceptron(b: Builder, name: string, x: Value, width: number): Value {
  const layer = b.scope(name);
  return linear(layer, "out", relu(layer, linear(layer, "in", x, width)), x.shape.at(-1) as number);
}

/** x·Wᵀ + b over the last axis, with PyTorch's layout [out, in] and initialisation. */
function linear(b: Builder, name: string, x: Value, to: number): Value {
  const layer = b.scope(name);
  const from = x.shape.at(-1) as number;
  const weight = layer.parameter("weight", [to, from], uniformFanIn(from));
  const bias = layer.parameter("bias", [to], uniformFanIn(from));
  return add(layer, matMul(layer, x, swapAxes(layer, weight, 0, 1)), bias);
}

/** Normalisation over the last axis. */
function norm(b: Builder, name: string, x: Value): Value {
  const layer = b.scope(name);
  const width = x.shape.at(-1) as number;
  const scale = layer.parameter("weight", [width], filled(1));
  return layerNormalization(layer, x, scale, layer.parameter("bias", [width], filled(0)));
}
// #endregion layers
