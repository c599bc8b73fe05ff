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
import { readBy } from "@espalier/core/documents";
import type { WindowSet } from "@espalier/datasets";
import { z } from "zod";
import { collector } from "./collect.ts";
import type { OnProgress } from "./progress.ts";

/** The settings of reconstruction, with their bounds. */
export const reconstructSchema = z.strictObject({
  /** Number of batches of training windows, drawn at random. */
  batches: z.int().min(1).default(16),
  batchSize: z.int().min(1).default(32),
  seed: z.int().min(0).default(0),
  /** Ridge, relative to the mean of the squared inputs; 0.01 by default. */
  damping: z.number().positive().optional(),
  method: z.enum(["least-squares", "obs"] satisfies RefitMethod[]).optional(),
});

/** Settings of reconstruction; those left out get their default. */
export type ReconstructSettings = z.input<typeof reconstructSchema>;

/** Input: a model, a plan, and the data for refitting layers. */
export interface PruneAndReconstructRequest {
  /** The model that the plan was made for. */
  readonly model: Model;
  readonly plan: PruningPlan;
  readonly backend: Backend;
  /** Windows of the training split. Their future values are not used. */
  readonly windows: WindowSet;
  readonly settings?: ReconstructSettings;
  /** Recorded in the model's history. */
  readonly data?: { readonly name: string; readonly checksum: string };
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
  /** Called after each layer. */
  readonly onLayer?: (layer: LayerError, done: number, total: number) => void;
}

/**
 * Carries out a plan and refits the remaining weights to the dense model's outputs on training windows, layer by layer
 * (core's `reconstruct`). The history records everything needed to repeat it. Throws the signal's reason if it aborts.
 */
export async function pruneAndReconstruct(request: PruneAndReconstructRequest): Promise<Reconstruction> {
  const { model, plan, backend, windows, settings = {}, data, signal, onProgress, onLayer } = request;
  const { batches, batchSize, seed, damping, method } = readReconstruct(settings);
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

function readReconstruct(settings: ReconstructSettings): z.output<typeof reconstructSchema> {
  // Settings from a model's history are accepted unchanged, including where they were run.
  return readBy(reconstructSchema.strip(), settings, "reconstruction");
}
