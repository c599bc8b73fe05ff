import {
  type Cell,
  environment,
  type FailureRecord,
  packageVersions,
  type ResultRecord,
  readCell,
  travellingSteps,
} from "@espalier/bench";
import { EspalierError } from "@espalier/core";
import { readBy } from "@espalier/core/documents";
import type { LoadedDataset } from "@espalier/datasets";
import type { LoadOptions } from "@espalier/datasets/node";
import { loadModel } from "@espalier/formats/node";
import { dataSchema, type Recipe, type Registry, recipeSchema } from "@espalier/recipe";
import { type Measured, runTrial } from "@espalier/search";
import { type FittedDataOptions, forecastingDataFor } from "@espalier/training";
import { z } from "zod";

/** The data of a trial. */
export interface TrialData extends FittedDataOptions {
  readonly dataset: string;
  /** How the data is read: options of `loadDataset` that are plain data. */
  readonly reading?: LoadOptions;
}

/** A fine-tuning that a search hands out: prunes the model of a file by a recipe, and measures it on validation data. */
export interface TrialCell {
  readonly kind: "trial";
  /** For people: two searches may hand out the same trial. */
  readonly label: string;
  /** The model's file. */
  readonly weights: string;
  readonly data: TrialData;
  /** With its seed and its backend. */
  readonly recipe: Recipe & { readonly backend: string };
}

/** Work that a queue hands out: a cell of a sweep, or a trial of a search. */
export type QueuedCell = Cell | TrialCell;

type Ended = Omit<FailureRecord, "cell" | "error"> & { readonly cell: TrialCell };

/** The outcome of a trial. */
export type TrialRecord = Ended & ({ readonly result: Measured } | { readonly error: string });

/** The outcome of a cell or a trial. */
export type QueuedRecord = ResultRecord | TrialRecord;

const { scale, splits } = dataSchema.shape;

const trialSchema = z.strictObject({
  kind: z.literal("trial"),
  label: z.string(),
  weights: z.string(),
  data: z.strictObject({ dataset: z.string(), reading: z.looseObject({}).optional(), scale, splits }),
  recipe: recipeSchema
    .omit({ model: true, data: true, latency: true })
    .extend({ steps: travellingSteps, seed: z.int().min(0), backend: z.string() }),
});

/** A cell or a trial from elsewhere, exactly as it came. Throws an EspalierError if it is neither. */
export function readQueued(value: unknown, where: string): QueuedCell {
  if ((value as Partial<QueuedCell> | null)?.kind !== "trial") return readCell(value, where);
  readBy(trialSchema, value, (path) => [where, ...path.map(String)].join(", "));
  return value as TrialCell;
}

/** Tools to run a trial with. */
export interface TrialTools {
  readonly id: string;
  readonly registry: Registry;
  readonly source: LoadedDataset;
  readonly versions?: Readonly<Record<string, string>> | undefined;
  readonly signal: AbortSignal;
}

/** Runs a trial whose files are here. Undefined if the signal ended it. */
export async function runTrialCell(cell: TrialCell, { id, registry, source, versions, signal }: TrialTools) {
  const start = performance.now();
  const { weights, data, recipe } = cell;
  const { simd } = await registry.backend(recipe.backend).availability();
  const common = () => ({
    ...{ cell, format: 1 as const, id, seconds: (performance.now() - start) / 1000 },
    environment: {
      ...environment(source.checksum, { ...packageVersions(), ...versions }),
      ...(simd !== undefined && { simd }),
    },
  });
  // A file that cannot be read is this machine's fault, not the recipe's.
  const dense = await loadModel(weights);
  try {
    const { model, result } = await runTrial({
      model: dense,
      recipe,
      workbench: {
        registry,
        data: async (model) => forecastingDataFor(model, source, data),
        backend: async () => registry.backend(recipe.backend),
      },
      signal,
    });
    return { record: { ...common(), result }, model, certain: true };
  } catch (error) {
    if (signal.aborted) return undefined;
    // A recipe that cannot be carried out can be so nowhere; anything else may be chance.
    const certain = error instanceof EspalierError;
    return { record: { ...common(), error: (error as Error).message }, certain };
  }
}
