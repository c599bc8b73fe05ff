import { EspalierError, type Tensors } from "@espalier/core";
import { readSafetensors, writeSafetensors } from "@espalier/formats";
import type { EpochRecord } from "./fit.ts";
import type { FitSettings } from "./options.ts";

const currentPrefix = "current/";
const bestPrefix = "best/";

/** Where a fit stood after an epoch: weights, optimiser, the best weights so far, and the record. */
export class TrainingCheckpoint {
  readonly settings: FitSettings;
  readonly epochs: readonly EpochRecord[];
  readonly tensors: Tensors;
  readonly best: Tensors;

  constructor(settings: FitSettings, epochs: readonly EpochRecord[], tensors: Tensors, best: Tensors) {
    this.settings = settings;
    this.epochs = [...epochs];
    this.tensors = tensors;
    this.best = best;
  }

  /** Throws an EspalierError unless a fit with these settings can go on from here; more epochs are allowed. */
  check(settings: FitSettings): void {
    const keys = [
      "batchSize",
      "learningRate",
      "rateSchedule",
      "weightDecay",
      "seed",
      "batchesPerEpoch",
    ] as const;
    const changed = keys.find((key) => settings[key] !== this.settings[key]);
    if (changed !== undefined) {
      throw new EspalierError(
        `the checkpoint was trained with ${changed} ${this.settings[changed]}, this run has ${settings[changed]}. Use the same settings, or start anew.`,
      );
    }
  }

  /** As one safetensors file. */
  encode(): Uint8Array {
    const all = new Map([
      ...[...this.tensors].map(([name, tensor]) => [currentPrefix + name, tensor] as const),
      ...[...this.best].map(([name, tensor]) => [bestPrefix + name, tensor] as const),
    ]);
    return writeSafetensors(all, {
      format: "espalier-training",
      "espalier.training.version": "1",
      "espalier.training": JSON.stringify({ settings: this.settings, epochs: this.epochs }),
    });
  }

  static decode(bytes: Uint8Array, where = "checkpoint"): TrainingCheckpoint {
    const { tensors, metadata } = readSafetensors(bytes, { name: where });
    if (metadata.format !== "espalier-training") {
      throw new EspalierError(`${where}: this is not a training checkpoint.`);
    }
    const version = metadata["espalier.training.version"];
    if (version !== "1")
      throw new EspalierError(
        `${where}: its version ${version} is newer than this Espalier knows (1). Update Espalier.`,
      );
    const part = (prefix: string): Tensors =>
      new Map(
        [...tensors].flatMap(([name, tensor]) =>
          name.startsWith(prefix) ? [[name.slice(prefix.length), tensor]] : [],
        ),
      );
    const { settings, epochs } = JSON.parse(metadata["espalier.training"] ?? "{}") as {
      settings: FitSettings;
      epochs: EpochRecord[];
    };
    if (settings === undefined || !Array.isArray(epochs))
      throw new EspalierError(`${where}: the checkpoint is damaged.`);
    return new TrainingCheckpoint(settings, epochs, part(currentPrefix), part(bestPrefix));
  }
}
