import type { RandomAttributes } from "@espalier/core/graph";
import type { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import type { Tensor, Tf } from "../../tensorflow-js.ts";
import { type Call, type Kernel, type Kernels, sizeOf } from "../kernel.ts";

/**
 * Randomness and the optimiser on the device.
 */
export const deviceTraining: Kernels = {
  RandomUniform: (call) => random(call, "u"),
  DropoutTraining: ({ tf, inputs: [x, uniform], attributes }) => {
    const { ratio } = attributes;
    const kept = tf.cast(tf.greaterEqual(uniform!, threshold(ratio)), "float32");
    return tf.mul(x!, tf.mul(kept, 1 / (1 - ratio)));
  },
  Adam: ({ tf, inputs: [parameter, gradient, m, v, step, rate, mask], attributes }) => {
    const { beta1, beta2, epsilon, weightDecay } = attributes;
    // 1 − βᵗ = −expm1(t · ln β), which keeps its digits where βᵗ is close to 1.
    const correction = (beta: number) => tf.neg(tf.expm1(tf.mul(step!, Math.log(beta))));
    const slope = weightDecay === 0 ? gradient! : tf.add(gradient!, tf.mul(parameter!, weightDecay));
    const first = tf.add(tf.mul(m!, beta1), tf.mul(slope, 1 - beta1));
    const second = tf.add(tf.mul(v!, beta2), tf.mul(tf.square(slope), 1 - beta2));
    const size = tf.mul(tf.div(first, correction(beta1)), rate!);
    const next = tf.sub(
      parameter!,
      tf.div(size, tf.add(tf.sqrt(tf.div(second, correction(beta2))), epsilon)),
    );
    if (mask === undefined) return [next, first, second];
    const keep = tf.cast(mask, "bool");
    return [tf.where(keep, next, tf.zerosLike(next)), tf.where(keep, first, m!), tf.where(keep, second, v!)];
  },
};

/** RandomUniform as the mask of a dropout: 1 ÷ (1 − ratio) where a number reaches the ratio, else 0. */
export function deviceDropoutMask(ratio: number): Kernel<RandomAttributes> {
  const bound = Math.ceil(ratio * 2 ** 24);
  return (call) => random(call, `select(0.0, ${1 / (1 - ratio)}, (bits >> 8u) >= ${bound}u)`);
}

/** The smallest number of 24 bits that reaches a ratio: float32 holds it exactly, the ratio itself it may round up or down. */
function threshold(ratio: number): number {
  return Math.ceil(ratio * 2 ** 24) / 2 ** 24;
}

/** The hash of core's `random.ts` as a program of TensorFlow.js; `value` is WGSL of its 32 `bits`, or of `u` in [0, 1). */
function random(
  { tf, inputs: [seed, step], attributes, outputs: [shape] }: Call<RandomAttributes>,
  value: string,
): Tensor {
  const { stream } = attributes;
  const size = sizeOf(shape!);
  const workgroup = 64;
  const program = {
    variableNames: ["seed", "step"],
    outputShape: [size],
    uniforms: "stream : u32,",
    workgroupSize: [workgroup, 1, 1] as [number, number, number],
    dispatchLayout: { x: [0] },
    dispatch: grid(Math.ceil(size / workgroup)),
    size: true,
    shaderKey: `espalier_random_${value}`,
    getUserCode: () => hash(value),
  };
  const uniforms = [{ type: "uint32", data: [stream] }];
  const backend = tf.backend() as WebGPUBackend;
  const info = backend.runWebGPUProgram(program, [scalar(tf, seed!), scalar(tf, step!)], "float32", uniforms);
  return tf.reshape(tf.engine().makeTensorFromTensorInfo(info), [...shape!]);
}

function scalar(tf: Tf, x: Tensor): Tensor {
  return tf.reshape(x, [1]);
}

/** Workgroups along three axes, of which none may have more than 65535. */
function grid(count: number): [number, number, number] {
  const x = Math.min(count, 65535);
  const y = Math.ceil(count / x);
  return [x, y, 1];
}

const hash = (value: string) => `
fn mix32(x : u32) -> u32 {
  var h = x;
  h = (h ^ (h >> 16u)) * 0x85ebca6bu;
  h = (h ^ (h >> 13u)) * 0xc2b2ae35u;
  return h ^ (h >> 16u);
}
// An integer in [-2^31, 2^32) modulo 2^32.
fn whole(x : f32) -> u32 {
  return select(u32(x), bitcast<u32>(i32(x)), x < 0.0);
}
fn main(index : i32) {
  if (index < uniforms.size) {
    let key = mix32(mix32(mix32(whole(seed[0]) ^ 0x9e3779b9u) ^ whole(step[0])) ^ uniforms.stream);
    let bits = mix32(key ^ mix32(u32(index) + 0x632be5abu));
    let u = f32(bits >> 8u) / 16777216.0;
    setOutputAtIndex(index, ${value});
  }
}`;
