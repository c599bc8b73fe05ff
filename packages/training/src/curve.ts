/**
 * How the removed share grows: `linear`; `cubic`, fast at first (Zhu and Gupta, 2017); `exponential`, the same share of
 * what is left at every step.
 */
export type Curve = (typeof curveNames)[number];

/** The curves by name. */
export const curveNames = ["linear", "cubic", "exponential"] as const;

const curves: Readonly<Record<Curve, (left: number, progress: number) => number>> = {
  linear: (left, progress) => 1 - (1 - left) * progress,
  cubic: (left, progress) => 1 - (1 - left) * (1 - (1 - progress) ** 3),
  exponential: (left, progress) => left ** progress,
};

/** The share that is left at a progress in [0, 1] towards `left`; 1 at the start. */
export function leftAt(curve: Curve, left: number, progress: number): number {
  return progress >= 1 ? left : curves[curve](left, progress);
}
