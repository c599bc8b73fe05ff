import { EspalierError, type Model, prunableTensors, type TensorData } from "@espalier/core";
import { matrixViews, weightsOf } from "@espalier/core/pruning";
import { floatToHalf, halfToFloat } from "../half.ts";
import type { RawNumbers } from "../safetensors/safetensors.ts";
import { scaled, scalePlaces } from "./scales.ts";

/** How a file stores weights in fewer bytes: as float16, or as int8 with a scale for each output. */
export type StoredWeights = "float16" | "int8";

/** A tensor in the form a file stores it. */
export interface StoredTensor {
  readonly numbers: RawNumbers;
  /** For int8: the value of one step, in the tensor's shape with 1 for the axes that a product contracts. */
  readonly scales?: RawNumbers;
}

/**
 * The model with its weights (trainable tensors with two or more axes) rounded to what float16 or int8 can hold, and a
 * history entry that says so; model files then store them in that form. Masks stay. Compare it with the original to
 * measure the effect.
 *
 * int8 is symmetric: each output of a product has a scale, 1/127 of its largest weight with 8 significant bits.
 *
 * @throws EspalierError that names a tensor with numbers the form cannot hold.
 */
export function roundWeights(model: Model, weights: StoredWeights): Model {
  const tensors = new Map(model.tensors);
  for (const [name, stored] of storedTensors(model, weights)) {
    const tensor = tensors.get(name)!;
    const data = valuesOf(stored, tensor.shape);
    const lost = tensor.data.findIndex((value, i) =>
      Number.isFinite(value) ? !Number.isFinite(data[i]!) : weights === "int8",
    );
    if (lost >= 0)
      throw new EspalierError(
        `tensor "${name}" holds ${tensor.data[lost]}, which ${weights} cannot hold. Keep its weights in float32.`,
      );
    tensors.set(name, { ...tensor, data });
  }
  return { ...model, tensors, history: [...model.history, { did: "round", weights }] };
}

/** The form that the weights were rounded to, if that is the last thing that was done to the model. */
export function roundedTo(model: Model): StoredWeights | undefined {
  const { did, weights } = (model.history.at(-1) ?? {}) as { did?: unknown; weights?: unknown };
  return did === "round" && (weights === "float16" || weights === "int8") ? weights : undefined;
}

/** The weights of a rounded model as its file stores them; those that would lose something are left out. */
export function exactTensors(model: Model): ReadonlyMap<string, StoredTensor> {
  const weights = roundedTo(model);
  if (weights === undefined) return new Map();
  return new Map(
    [...storedTensors(model, weights)].filter(([name, stored]) => {
      const { shape, data } = model.tensors.get(name)!;
      return valuesOf(stored, shape).every((value, i) => Object.is(value, data[i]));
    }),
  );
}

/** The nearest form of each weight, whatever it loses. */
export function storedTensors(model: Model, weights: StoredWeights): Map<string, StoredTensor> {
  const names = prunableTensors(model);
  const shapeOf = (name: string) => model.tensors.get(name)!.shape;
  if (weights === "float16") {
    return new Map(
      names.map((name) => [
        name,
        {
          numbers: {
            dtype: "float16",
            shape: shapeOf(name),
            data: Uint16Array.from(weightsOf(model, name), floatToHalf),
          },
        },
      ]),
    );
  }
  const views = matrixViews(model, names);
  return new Map(
    names.map((name) => {
      const shape = shapeOf(name);
      const { columns } = views.get(name)!;
      // The second element along a contracted axis is the start of a column, at the axis's stride.
      const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((n, extent) => n * extent, 1));
      const contracted = new Set(columns);
      const kept = shape.map((extent, axis) => (contracted.has(strides[axis]!) ? 1 : extent));
      return [name, quantized(weightsOf(model, name), shape, kept)];
    }),
  );
}

function quantized(
  data: Float32Array,
  shape: readonly number[],
  scaleShape: readonly number[],
): StoredTensor {
  const place = scalePlaces(shape, scaleShape);
  const maxima = new Float64Array(scaleShape.reduce((n, extent) => n * extent, 1));
  data.forEach((value, i) => {
    maxima[place(i)] = Math.max(maxima[place(i)]!, Math.abs(value));
  });
  // A scale of 8 significant bits times a step of 7 is exact in float32, so rounding twice is rounding once.
  const bits = Uint16Array.from(maxima, (largest) => brainFloat(largest / 127));
  const scales = Float64Array.from(bits, brainToFloat);
  const steps = Int8Array.from(data, (value, i) => Math.round(value / scales[place(i)]!) || 0);
  return {
    numbers: { dtype: "int8", shape, data: steps },
    scales: { dtype: "bfloat16", shape: scaleShape, data: bits },
  };
}

function valuesOf({ numbers, scales }: StoredTensor, shape: readonly number[]): Float32Array {
  if (scales === undefined) return Float32Array.from(numbers.data, halfToFloat);
  const factors: TensorData = {
    dtype: "float32",
    shape: scales.shape,
    data: Float32Array.from(scales.data, brainToFloat),
  };
  return scaled(numbers.data, shape, factors, () => "int8 weights");
}

/** The upper half of the float32 nearest to a number, ties to even: bfloat16. */
function brainFloat(value: number): number {
  const [bits] = new Uint32Array(Float32Array.of(value).buffer);
  return (bits! + 0x7fff + ((bits! >>> 16) & 1)) >>> 16;
}

function brainToFloat(bits: number): number {
  return new Float32Array(Uint32Array.of(bits << 16).buffer)[0]!;
}
