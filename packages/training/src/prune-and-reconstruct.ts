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
  /** Batches of training windows drawn at random. */
  batches: z.int().min(1).default(16),
  batchSize: z.int().min(1).default(32),
  seed: z.int().min(0).default(0),
  /** Ridge, as a share of the mean of the squared inputs; 0.01 by default. */
  damping: z.number().positive().optional(),
  method: z.enum(["least-squares", "obs"] satisfies RefitMethod[]).optional(),
});

/** What layers are refitted on, and how; what is left out has its default. */
export type ReconstructSettings = z.input<typeof reconstructSchema>;

/** What is pruned by which plan, and the data that its layers are refitted on. */
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
  /** Told after each layer. */
  readonly onLayer?: (layer: LayerError, done: number, total: number) => void;
}

/**
 * Carries a plan out and refits what it leaves to the dense model's outputs on training windows, layer after layer (core's
 * `reconstruct`). Its history holds all that is needed to do it again. Throws what the signal was aborted with.
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
  // What a model's history holds of them may be given as it is: it says where they were run, too.
  return readBy(reconstructSchema.strip(), settings, "reconstruction");
}
