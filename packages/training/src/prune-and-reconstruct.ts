import {
  type Backend,
  type Json,
  type LayerError,
  type Model,
  type PruningPlan,
  type Reconstruction,
  type RefitMethod,
  reconstruct,
} from "@espalier/core";
import type { WindowSet } from "@espalier/datasets";
import { collector } from "./collect.ts";
import type { OnProgress } from "./progress.ts";

/** What layers are refitted on, and how. */
export interface ReconstructSettings {
  /** Batches of training windows drawn at random; 16 by default. */
  readonly batches?: number;
  /** 32 by default. */
  readonly batchSize?: number;
  readonly seed?: number;
  /** Ridge, as a share of the mean of the squared inputs; 0.01 by default. */
  readonly damping?: number;
  readonly method?: RefitMethod;
}

export interface PruneAndReconstructRequest {
  /** What the plan was made for. */
  readonly model: Model;
  readonly plan: PruningPlan;
  readonly backend: Backend;
  /** Those of the training split. What they are followed by is not looked at. */
  readonly windows: WindowSet;
  readonly settings?: ReconstructSettings;
  /** Recorded in the model's history. */
  readonly data?: { readonly name: string; readonly checksum: string };
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
  readonly onLayer?: (layer: LayerError, done: number, total: number) => void;
}

/**
 * Carries a plan out and refits what it leaves to the dense model's outputs on training windows, layer after layer (core's
 * `reconstruct`). Its history holds all that is needed to do it again. Throws what the signal was aborted with.
 */
export async function pruneAndReconstruct(request: PruneAndReconstructRequest): Promise<Reconstruction> {
  const { model, plan, backend, windows, settings = {}, data, signal, onProgress, onLayer } = request;
  const { batches = 16, batchSize = 32, seed = 0, damping, method } = settings;
  const calibration: Json = {
    batches,
    batchSize,
    seed,
    backend: backend.name,
    ...(data === undefined ? {} : { data: { ...data } }),
  };
  return reconstruct({
    model,
    plan,
    collect: collector({
      backend,
      windows,
      batches,
      batchSize,
      seed,
      ...(signal && { signal }),
      ...(onProgress && { onProgress }),
    }),
    calibration,
    ...(damping === undefined ? {} : { damping }),
    ...(method === undefined ? {} : { method }),
    ...(signal && { signal }),
    ...(onLayer && { onLayer }),
  });
}
