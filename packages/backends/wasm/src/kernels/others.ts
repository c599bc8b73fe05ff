import { adamInPlace, dropout, type Pattern } from "@espalier/core/compile";
import { emitAdam, emitAdamInPlace, masksOf } from "./adam.ts";
import type { Emits } from "./kernel.ts";
import { normalizationTraining } from "./normalization-training.ts";
import { pooling } from "./pooling.ts";
import { emitDropout, emitRandom } from "./random.ts";
import { ranking } from "./ranking.ts";
import { recurrence } from "./recurrence.ts";
import { transforms } from "./transforms.ts";

/** Kernels of operators that few forecasters have, and of those that training draws. */
export const others: Emits = {
  ...normalizationTraining,
  ...pooling,
  ...ranking,
  ...recurrence,
  ...transforms,
  RandomUniform: (e, call) => emitRandom(e, call),
  Adam: (e, call) => emitAdam(e, call, false),
};

/** Patterns of fused operations in training. */
export const trainingPatterns: readonly Pattern[] = [adamInPlace, dropout];

/** How operations of training run. */
export const training = { masksOf, emitDropout, emitAdamInPlace };
