import { EspalierError, type Model, prunableTensors, type TensorData } from "@espalier/core";
import { weightsOf } from "@espalier/core/pruning";
import { floatToHalf, halfToFloat, largestHalf } from "./half.ts";

/**
 * Float16 bit patterns of the weights that `--weights float16` stores in that format: trainable tensors with two or
 * more axes. Throws an EspalierError that names a tensor with numbers float16 cannot hold.
 */
export function halfWeights(model: Model): ReadonlyMap<string, Uint16Array> {
  return new Map(
    prunableTensors(model).map((name) => {
      const data = weightsOf(model, name);
      const bits = Uint16Array.from(data, floatToHalf);
      const at = data.findIndex((value, i) => Number.isFinite(value) && (bits[i]! & 0x7c00) === 0x7c00);
      if (at >= 0) {
        throw new EspalierError(
          `tensor "${name}" holds ${data[at]}, but float16 only reaches ${largestHalf}. Export it with float32 weights.`,
        );
      }
      return [name, bits];
    }),
  );
}

/**
 * The model with its weights rounded like an export with float16 weights; comparing it with the original shows the
 * effect of rounding.
 */
export function roundToFloat16(model: Model): Model {
  const tensors = new Map(model.tensors);
  for (const [name, bits] of halfWeights(model)) {
    const tensor = tensors.get(name) as TensorData;
    tensors.set(name, { ...tensor, data: Float32Array.from(bits, halfToFloat) });
  }
  return { ...model, tensors };
}
