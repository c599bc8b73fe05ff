import { type Backend, EspalierError, type Model, type TargetReport } from "@espalier/core";
import type { WindowSet } from "@espalier/datasets";
import type { TrainingCheckpoint } from "./checkpoint.ts";
import type { GradualPruning } from "./gradual.ts";
import { type FitOptions, readSettings } from "./options.ts";
import type { OnProgress } from "./progress.ts";
import { TrainingRun } from "./training-run.ts";

/** What is known after an epoch. */
export interface EpochRecord {
  /** From 1. */
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

/** What is trained, on what, and how. */
export interface FitRequest {
  readonly model: Model;
  readonly backend: Backend;
  readonly train: WindowSet;
  readonly validation: WindowSet;
  readonly settings?: FitOptions;
  /** A model whose forecasts are learned from as well: the dense one, while a pruned one is fine-tuned. */
  readonly teacher?: Teacher;
  /** Prunes while it trains; the model that comes out has reached the target. */
  readonly gradual?: GradualPruning;
  /** Recorded in the model's history. */
  readonly data?: { readonly name: string; readonly checksum: string };
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
  /** Told after each epoch; the next one waits for it. */
  readonly onEpoch?: (record: EpochRecord) => void | Promise<void>;
  /** Called after every epoch with all that is needed to go on from there. */
  readonly onCheckpoint?: (checkpoint: TrainingCheckpoint) => void | Promise<void>;
  /** Goes on from a checkpoint of a fit with the same settings. */
  readonly resume?: TrainingCheckpoint;
}

/** Knowledge distillation (Hinton et al., 2015), for forecasts: part of the loss is the distance from the teacher's. */
export interface Teacher {
  readonly model: Model;
  /** Share of the loss, in (0, 1]. */
  readonly weight: number;
}

/** What a fit led to. */
export interface FitResult {
  /** With the weights of the best epoch; of gradual pruning, of those after the target was reached. */
  readonly model: Model;
  readonly epochs: readonly EpochRecord[];
  /** What gradual pruning was to reach, and does. */
  readonly target?: TargetReport;
  /** Why it ended: all epochs done, no better for `patience` epochs, or the signal. */
  readonly ended: "finished" | "early" | "aborted";
}

/**
 * Trains a model with Adam on the mean squared error and keeps the weights of the epoch with the least validation error.
 * An aborted fit ends after the step that runs and keeps the best so far. The same settings, data and backend give the
 * same weights, also when it was interrupted and resumed.
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
