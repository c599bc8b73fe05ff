import { createHash } from "node:crypto";
import { resolve } from "node:path";
import type { Model } from "@espalier/core";
import {
  type ForecastingData,
  forecastingDataOf,
  type LoadedDataset,
  spacedWindows,
} from "@espalier/datasets";
import { type LoadOptions, loadDataset } from "@espalier/datasets/node";
import { readBytes, readTensors } from "@espalier/formats/node";
import type { Registry } from "@espalier/recipe";
import { type DrawnFor, drawModel, drawnFor } from "@espalier/recipe";
import { windowShapeOf } from "@espalier/training";
import type { DataConfig, TrainCell } from "./cells.ts";

/** Data set folder, cache and download settings. */
export interface DataPlaces {
  readonly folder?: string | undefined;
  readonly cache?: string | undefined;
  readonly offline?: boolean;
  /** The folder that paths of `weights` start from; the working directory by default. */
  readonly beside?: string | undefined;
}

/** The data of a sweep: every file is read once, and divided into the windows that each model takes. */
export class SweepData {
  readonly #registry: Registry;
  readonly #options: DataPlaces & { readonly signal?: AbortSignal | undefined };
  readonly #sources = new Map<string, Promise<LoadedDataset>>();
  readonly #windows = new Map<string, ForecastingData>();

  constructor(registry: Registry, options: DataPlaces & { readonly signal?: AbortSignal | undefined }) {
    this.#registry = registry;
    this.#options = options;
  }

  /** The table of a data set, read once; `reading` says how, for more than sweeps need. */
  source({
    dataset,
    missing,
    reading,
  }: Pick<DataConfig, "dataset" | "missing"> & { readonly reading?: LoadOptions }): Promise<LoadedDataset> {
    const key = JSON.stringify([dataset, missing, reading]);
    const known = this.#sources.get(key);
    if (known !== undefined) return known;
    const { signal, beside: _, ...places } = this.#options;
    const loading = loadDataset(dataset, {
      ...reading,
      ...places,
      ...(missing && { missing }),
      ...(signal && { signal }),
    });
    this.#sources.set(key, loading);
    return loading;
  }

  /** A cell's model before training: with the weights of its file, or new ones from the cell's seed. */
  async model({ model, data, seed }: TrainCell): Promise<Model> {
    const source = await this.source(data);
    const drawn = drawModel(this.#registry, model, shapeOf(data, source));
    const { weights } = model;
    return typeof weights === "string"
      ? drawn.load(await readTensors(this.#weightsPath(weights)))
      : drawn.initialize(seed);
  }

  /** SHA-256 of a file of weights. */
  async weightsChecksum(path: string): Promise<string> {
    const bytes = await readBytes(this.#weightsPath(path), "weights");
    return createHash("sha256").update(bytes).digest("hex");
  }

  #weightsPath(path: string): string {
    return resolve(this.#options.beside ?? ".", path);
  }

  /** The windows of a cell's model: a decoder also sees the end of the input, and some models take time features. */
  async windows({ model, data }: TrainCell): Promise<ForecastingData> {
    const source = await this.source(data);
    const { graph } = drawModel(this.#registry, model, shapeOf(data, source));
    const { inputLength, horizon, labelLength, marks, calendar } = windowShapeOf(graph);
    const shape = {
      inputLength,
      horizon,
      labelLength,
      frequency: marks === 0 ? (false as const) : undefined,
      calendar,
    };
    const key = JSON.stringify([data, shape, marks]);
    const known = this.#windows.get(key);
    if (known !== undefined) return known;
    const whole = forecastingDataOf(source, { ...shape, scale: data.scale });
    const made = limited(whole, data.evaluationWindows);
    this.#windows.set(key, made);
    return made;
  }
}

function shapeOf({ inputLength, horizon }: DataConfig, { table }: LoadedDataset): DrawnFor {
  return { inputLength, horizon, ...drawnFor(table) };
}

function limited(data: ForecastingData, most: number | undefined): ForecastingData {
  if (most === undefined) return data;
  return {
    ...data,
    validation: spacedWindows(data.validation, most),
    test: spacedWindows(data.test, most),
  };
}
