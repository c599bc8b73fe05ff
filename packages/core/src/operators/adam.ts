import type { Operand } from "../dimensions/coupling.ts";
import { ndarray } from "../reference/array.ts";
import { defineOperator, type Operator } from "./operator.ts";

/** Settings of Adam, by PyTorch's names. */
export type AdamAttributes = {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** L2 penalty added to the gradient, like that of `torch.optim.Adam`. */
  readonly weightDecay: number;
};

/** The inputs of an Adam node by name, in any representation: ids of values, shapes, numbers. */
export interface AdamInputs<T> {
  readonly parameter: T;
  readonly gradient: T;
  readonly m: T;
  readonly v: T;
  readonly step: T;
  readonly rate: T;
  readonly mask: T | undefined;
}

/** The inputs of an Adam node by name. */
export function adamInputs<T>(inputs: readonly T[]): AdamInputs<T> {
  const [parameter, gradient, m, v, step, rate, mask] = inputs as readonly [T, T, T, T, T, T, T?];
  return { parameter, gradient, m, v, step, rate, mask };
}

/**
 * Sizes below which {@link adamOperator} treats a gradient (including its penalty) and the new moments as zero. Moments
 * of weights that no longer get a gradient (dead, converged) would otherwise decay into float32's subnormal numbers,
 * which some processors compute a hundred times slower; so would the square of such a small gradient. A moment below
 * these bounds moves a weight by at most 10⁻⁸ of the learning rate, at the usual epsilon. GPUs and libtensorflow flush
 * subnormal numbers themselves and need no check.
 */
export const adamTiny = { gradient: 2 ** -55, m: 2 ** -80, v: 2 ** -125 } as const;

/** The number, or 0 if its size is below `least`. */
export function unlessBelow(least: number, x: number): number {
  return Math.abs(x) < least ? 0 : x;
}

/**
 * One step of Adam (Kingma and Ba, ICLR 2015): (parameter, gradient, m, v, step, learning rate[, mask]) → (parameter',
 * m', v'). `step` counts from 1. Where the mask is 0, the parameter becomes 0 and its moments do not change. Numbers
 * below {@link adamTiny} count as zero.
 */
export const adamOperator: Operator<AdamAttributes> = defineOperator<AdamAttributes>({
  name: "Adam",
  arity: [6, 7],
  infer: ([parameter]) => [parameter!, parameter!, parameter!],
  couple(coupling, inputs, outputs) {
    const { parameter, gradient, m, v, mask } = adamInputs(inputs);
    const tied: (Operand | undefined)[] = [gradient, m, v, mask, ...outputs];
    for (const operand of tied) if (operand !== undefined) coupling.sameAll(parameter, operand);
  },
  evaluate(inputs, { beta1, beta2, epsilon, weightDecay }) {
    const { parameter, gradient, m, v, step, rate, mask } = adamInputs(inputs);
    const [p2, m2, v2] = [ndarray(parameter.shape), ndarray(m.shape, m.data), ndarray(v.shape, v.data)];
    const t = step.data[0]!;
    const correction1 = 1 - beta1 ** t;
    const correction2 = 1 - beta2 ** t;
    for (let i = 0; i < p2.data.length; i++) {
      if (mask !== undefined && mask.data[i] === 0) continue;
      const p = parameter.data[i]!;
      const g = unlessBelow(adamTiny.gradient, gradient.data[i]! + weightDecay * p);
      m2.data[i] = unlessBelow(adamTiny.m, beta1 * m.data[i]! + (1 - beta1) * g);
      v2.data[i] = unlessBelow(adamTiny.v, beta2 * v.data[i]! + (1 - beta2) * g * g);
      p2.data[i] =
        p - (rate.data[0]! * (m2.data[i]! / correction1)) / (Math.sqrt(v2.data[i]! / correction2) + epsilon);
    }
    return [p2, m2, v2];
  },
});
