import type { FitSettings } from "./options.ts";

/**
 * The learning rate of a step, from 0, with `perEpoch` steps per epoch. It rises from zero over the first `warmup` of
 * all steps (Goyal et al., 2017); then it halves after each epoch, falls along half a cosine (Loshchilov and Hutter,
 * ICLR 2017) to a hundredth, or stays constant.
 */
export function rateAt(
  step: number,
  perEpoch: number,
  {
    learningRate,
    rateSchedule,
    warmup,
    epochs,
  }: Pick<FitSettings, "learningRate" | "rateSchedule" | "warmup" | "epochs">,
): number {
  const total = perEpoch * epochs;
  const rising = warmup * total;
  if (step < rising) return (learningRate * (step + 1)) / (rising + 1);
  if (rateSchedule === "constant") return learningRate;
  if (rateSchedule === "halving") return learningRate * 0.5 ** Math.floor(step / perEpoch);
  const progress = (step - rising) / Math.max(1, total - 1 - rising);
  return learningRate * (last + (1 - last) * 0.5 * (1 + Math.cos(Math.PI * Math.min(1, progress))));
}

/** Share of the rate that the cosine ends with. */
const last = 0.01;
