import { EspalierError, type Tensors } from "@espalier/core";
import { readSafetensors, writeSafetensors } from "@espalier/formats";
import { z } from "zod";
import type { EpochRecord } from "./epoch.ts";
import { type FitSettings, settingsSchema } from "./options.ts";

const currentPrefix = "current/";
const bestPrefix = "best/";
const otherwise = {
  model: "from another model (its options, its seed, or where it started)",
  data: "on other data",
  teacher: "with another teacher, or another weight of it",
  gradual: "with another gradual pruning",
} as const;

/** The starting point of a fit. */
export interface FitOrigin {
  /** Digest of the model before its first step. */
  readonly model: string;
  /** Checksum of the data, if the caller gave one. */
  readonly data?: string | undefined;
  /** The teacher and its weight. */
  readonly teacher?: string | undefined;
  /** Settings of gradual pruning. */
  readonly gradual?: string | undefined;
}

/** State of a fit after an epoch: weights, optimiser, the best weights so far, and the record. */
export class TrainingCheckpoint {
  readonly settings: FitSettings;
  readonly origin: FitOrigin;
  readonly epochs: readonly EpochRecord[];
  readonly tensors: Tensors;
  readonly best: Tensors;

  constructor(
    settings: FitSettings,
    origin: FitOrigin,
    epochs: readonly EpochRecord[],
    tensors: Tensors,
    best: Tensors,
  ) {
    this.settings = settings;
    this.origin = origin;
    this.epochs = [...epochs];
    this.tensors = tensors;
    this.best = best;
  }

  /**
   * Throws an EspalierError unless a fit with these settings can continue from here. Patience may differ, and so may
   * the number of epochs if no setting depends on it.
   */
  check(settings: FitSettings, origin: FitOrigin): void {
    const keys = [
      "batchSize",
      "learningRate",
      "rateSchedule",
      "weightDecay",
      "warmup",
      "groupPenalty",
      "regrow",
      "seed",
      "batchesPerEpoch",
      ...(followsEpochs(settings, origin) ? (["epochs"] as const) : []),
    ] as const;
    const text = (of: FitSettings, key: (typeof keys)[number]) =>
      JSON.stringify(of[key])?.replaceAll('"', "");
    const changed = keys.find((key) => text(settings, key) !== text(this.settings, key));
    if (changed !== undefined) {
      throw new EspalierError(
        `the checkpoint was trained with ${changed} ${text(this.settings, changed)}, but this run has ${text(settings, changed)}. Use the same settings, or start again.`,
      );
    }
    const other = (["model", "data", "teacher", "gradual"] as const).find(
      (key) => origin[key] !== this.origin[key],
    );
    if (other !== undefined) {
      throw new EspalierError(
        `the checkpoint was trained ${otherwise[other]}. Use the same, or start again.`,
      );
    }
  }

  /** Encodes the checkpoint as one safetensors file. */
  encode(): Uint8Array {
    const all = new Map([
      ...[...this.tensors].map(([name, tensor]) => [currentPrefix + name, tensor] as const),
      ...[...this.best].map(([name, tensor]) => [bestPrefix + name, tensor] as const),
    ]);
    return writeSafetensors(all, {
      format: "espalier-training",
      "espalier.training.version": "1",
      "espalier.training": JSON.stringify({
        settings: this.settings,
        origin: this.origin,
        epochs: this.epochs,
      }),
    });
  }

  /** Reads the result of `encode`. Throws an EspalierError for anything else. */
  static decode(bytes: Uint8Array, where = "checkpoint"): TrainingCheckpoint {
    const { tensors, metadata } = readSafetensors(bytes, { name: where });
    if (metadata.format !== "espalier-training") {
      throw new EspalierError(`${where}: not a training checkpoint.`);
    }
    const version = metadata["espalier.training.version"];
    if (version !== "1") {
      throw new EspalierError(
        `${where}: its version ${version} is newer than this version of Espalier knows (1). Update Espalier.`,
      );
    }
    const part = (prefix: string): Tensors =>
      new Map(
        [...tensors].flatMap(([name, tensor]) =>
          name.startsWith(prefix) ? [[name.slice(prefix.length), tensor]] : [],
        ),
      );
    const { settings, origin, epochs } = parseRecord(metadata["espalier.training"], where);
    return new TrainingCheckpoint(settings, origin, epochs, part(currentPrefix), part(bestPrefix));
  }
}

/** Whether an epoch depends on the total number of epochs. */
function followsEpochs({ rateSchedule, warmup, regrow }: FitSettings, { gradual }: FitOrigin): boolean {
  return rateSchedule === "cosine" || warmup > 0 || regrow !== undefined || gradual !== undefined;
}

const recordSchema = z.object({
  settings: settingsSchema,
  origin: z.object({
    model: z.string(),
    data: z.string().optional(),
    teacher: z.string().optional(),
    gradual: z.string().optional(),
  }),
  epochs: z.array(
    z.object({
      epoch: z.int().min(1),
      learningRate: z.number(),
      trainLoss: z.number(),
      validation: z.object({ mse: z.number(), mae: z.number() }),
      best: z.boolean(),
      seconds: z.number(),
    }),
  ),
});

function parseRecord(text: string | undefined, where: string): z.output<typeof recordSchema> {
  try {
    return recordSchema.parse(JSON.parse(text ?? "{}"));
  } catch {
    throw new EspalierError(`${where}: the checkpoint is damaged.`);
  }
}
