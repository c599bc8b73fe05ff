import { adamTiny, fillRandom, type RandomAttributes, randomKey, unlessBelow } from "@espalier/core/graph";
import type { Tensor } from "../tensorflow-js.ts";
import { type Call, type Kernel, type Kernels, sizeOf } from "./kernel.ts";

/**
 * Randomness and the optimiser, in JavaScript: both backends keep their data in this process's memory, so a loop over it
 * costs less than the dozen small operations it would take. Measured for Adam over the 37 tensors (142 000 numbers) of a
 * PatchTST of width 64 on `tfjs-wasm`: see README.md.
 */
export const training: Kernels = {
  RandomUniform: (call) => call.tf.tensor(uniformNumbers(call), [...call.outputs[0]!]),
  DropoutTraining: ({ tf, inputs: [x, uniform], attributes }) => {
    const { ratio } = attributes;
    const mask = toMask((uniform!.dataSync() as Float32Array).slice(), ratio);
    return tf.mul(x!, tf.tensor(mask, uniform!.shape));
  },
  Adam: ({ tf, inputs: [parameter, gradient, m, v, step, rate, mask], attributes }) => {
    const { beta1, beta2, epsilon, weightDecay } = attributes;
    const t = scalar(step!);
    const size = scalar(rate!) / (1 - beta1 ** t);
    const correction = Math.sqrt(1 - beta2 ** t);
    const [p, g, m1, v1] = [parameter!, gradient!, m!, v!].map((tensor) => tensor.dataSync() as Float32Array);
    const keep = mask?.dataSync();
    const next = [
      new Float32Array(p!.length),
      new Float32Array(p!.length),
      new Float32Array(p!.length),
    ] as const;
    for (let i = 0; i < p!.length; i++) {
      if (keep !== undefined && keep[i] === 0) {
        next[1][i] = m1![i]!;
        next[2][i] = v1![i]!;
        continue;
      }
      const slope = unlessBelow(adamTiny.gradient, g![i]! + weightDecay * p![i]!);
      const first = unlessBelow(adamTiny.m, beta1 * m1![i]! + (1 - beta1) * slope);
      const second = unlessBelow(adamTiny.v, beta2 * v1![i]! + (1 - beta2) * slope * slope);
      next[0][i] = p![i]! - (size * first) / (Math.sqrt(second) / correction + epsilon);
      next[1][i] = first;
      next[2][i] = second;
    }
    return next.map((data) => tf.tensor(data, parameter!.shape));
  },
};

/** RandomUniform as the mask of a dropout: 1 ÷ (1 − ratio) where a number reaches the ratio, else 0. */
export function dropoutMask(ratio: number): Kernel<RandomAttributes> {
  return (call) => call.tf.tensor(toMask(uniformNumbers(call), ratio), [...call.outputs[0]!]);
}

/** DropoutTraining with such a mask. */
export const multiply: Kernel = ({ tf, inputs: [x, mask] }) => tf.mul(x!, mask!);

function uniformNumbers({
  inputs: [seed, step],
  attributes,
  outputs: [shape],
}: Call<RandomAttributes>): Float32Array {
  const numbers = new Float32Array(sizeOf(shape!));
  fillRandom(randomKey(scalar(seed!), scalar(step!), attributes.stream), numbers);
  return numbers;
}

/** In place. The bound is compared in double precision, as the definition does; numbers of 24 bits are exact in both. */
function toMask(numbers: Float32Array, ratio: number): Float32Array {
  const kept = 1 / (1 - ratio);
  for (let i = 0; i < numbers.length; i++) numbers[i] = numbers[i]! >= ratio ? kept : 0;
  return numbers;
}

function scalar(tensor: Tensor): number {
  return tensor.dataSync()[0]!;
}
