import type { Backend, Model, TargetReport } from "@espalier/core";
import type { WindowSet } from "@espalier/datasets";
import type { TrainingCheckpoint } from "./checkpoint.ts";
import type { EpochRecord } from "./epoch.ts";
import type { GradualPruning } from "./gradual.ts";
import type { FitOptions } from "./options.ts";
import type { OnProgress } from "./progress.ts";

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
  /** Called after each step; counts the steps of all epochs. */
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
  /** The reason why training ended: all epochs done, no improvement for `patience` epochs, or the signal. */
  readonly ended: "finished" | "early" | "aborted";
}
