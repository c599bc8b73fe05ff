import { type Backend, EspalierError, type Model, type TargetReport } from "@espalier/core";
import type { WindowSet } from "@espalier/datasets";
import type { TrainingCheckpoint } from "./checkpoint.ts";
import type { GradualPruning } from "./gradual.ts";
import { type FitOptions, readSettings } from "./options.ts";
import type { OnProgress } from "./progress.ts";
import { TrainingRun } from "./training-run.ts";

/** The result of an epoch. */
export interface EpochRecord {
  /** Counted from 1. */
  readonly epoch: number;
  readonly learningRate: number;
  /** Mean squared error over the epoch's batches, in training mode. */
  readonly trainLoss: number;
  /** Errors over all validation windows, in evaluation mode. */
  readonly validation: { readonly mse: number; readonly mae: number };
  /** Whether this is the best epoch so far. */
  readonly best: boolean;
  readonly seconds: number;
}

/** Options of a training run. */
export interface FitRequest {
  readonly model: Model;
  readonly backend: Backend;
  readonly train: WindowSet;
  readonly validation: WindowSet;
  readonly settings?: FitOptions;
  /** A model whose forecasts are learned as well: the dense one, while a pruned one is fine-tuned. */
  readonly teacher?: Teacher;
  /** Prunes during training; the resulting model has reached the target. */
  readonly gradual?: GradualPruning;
  /** Recorded in the model's history. */
  readonly data?: { readonly name: string; readonly checksum: string };
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
  /** Called after each epoch; the next one waits for it. */
  readonly onEpoch?: (record: EpochRecord) => void | Promise<void>;
  /** Called after every epoch with the state needed to continue from there. */
  readonly onCheckpoint?: (checkpoint: TrainingCheckpoint) => void | Promise<void>;
  /** Continues from a checkpoint of a fit with the same settings. */
  readonly resume?: TrainingCheckpoint;
}

/**
 * Knowledge distillation (Hinton et al., 2015) for forecasts: part of the loss is the distance to the teacher's
 * forecasts.
 */
export interface Teacher {
  readonly model: Model;
  /** Weight in the loss, in (0, 1]. */
  readonly weight: number;
}

/** The result of a fit. */
export interface FitResult {
  /** The model with the weights of the best epoch; after gradual pruning, of the best one after the target was reached. */
  readonly model: Model;
  readonly epochs: readonly EpochRecord[];
  /** The target of gradual pruning, and whether it was reached. */
  readonly target?: TargetReport;
  /** Why training ended: all epochs done, no improvement for `patience` epochs, or the signal. */
  readonly ended: "finished" | "early" | "aborted";
}

/**
 * Trains a model with Adam on the mean squared error, and keeps the weights of the epoch with the lowest validation
 * error. An aborted fit ends after the current step and keeps the best weights so far. The same settings, data and
 * backend give the same weights, even if training was interrupted and resumed.
 */
export async function fit(request: FitRequest): Promise<FitResult> {
  const settings = readSettings(request.settings ?? {});
  if (request.train.count === 0) throw new EspalierError("there is no training window.");
  const weight = request.teacher?.weight;
  if (weight !== undefined && !(weight > 0 && weight <= 1)) {
    throw new EspalierError(`the teacher's weight ${weight} is outside (0, 1].`);
  }
  const { signal, resume, model } = request;
  const run = await TrainingRun.start(request, settings).catch((error: unknown) => {
    if (signal?.aborted) return undefined;
    throw error;
  });
  if (run === undefined) return { model, epochs: resume?.epochs ?? [], ended: "aborted" };
  try {
    return await run.toTheEnd();
  } finally {
    run.dispose();
  }
}
