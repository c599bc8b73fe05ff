import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import {
  account,
  digest,
  headDensities,
  layerCounts,
  layerSensitivity,
  type Model,
  meet,
  prune,
  sparsity,
} from "@espalier/core";
import { type ForecastingData, type LoadedDataset, spacedWindows } from "@espalier/datasets";
import type { Registry } from "@espalier/recipe";
import { drawModel } from "@espalier/recipe";
import {
  collector,
  evaluate,
  fit,
  type Metrics,
  type OnProgress,
  progressReporter,
  withData,
} from "@espalier/training";
import { expectTimes } from "../measure/expect-times.ts";
import { measureLatency } from "../measure/latency.ts";
import { environment } from "../results/environment.ts";
import { openResults, type ResultsFile } from "../results/file.ts";
import {
  isFailure,
  isTrain,
  type LatencyRecord,
  type Parts,
  type PruneRecord,
  type ResultRecord,
  type SensitivityRecord,
  type TestErrors,
  type TrainRecord,
} from "../results/records.ts";
import { packageVersions } from "../results/versions.ts";
import { withAvailableBackends } from "./backends.ts";
import {
  type Cell,
  cellId,
  cellsOf,
  denseCell,
  type LatencyCell,
  type PruneCell,
  type SensitivityCell,
  type TrainCell,
} from "./cells.ts";
import { checkSweep } from "./check.ts";
import type { SweepConfig, TrainingConfig } from "./config.ts";
import { ModelStore } from "./model-store.ts";
import { type DataPlaces, SweepData } from "./sweep-data.ts";

/** Where a sweep keeps what it does, and who hears of it. */
export interface SweepOptions {
  /** Folder for `results.jsonl` and the models; made where it does not exist. What it holds already is not done again. */
  readonly out: string;
  readonly registry: Registry;
  readonly signal?: AbortSignal;
  /** Data set folder, cache and download settings. */
  readonly data?: DataPlaces;
  /** Versions of further packages, for the record. */
  readonly versions?: Readonly<Record<string, string>>;
  /** Told when a cell starts, and when it ends. */
  readonly onCell?: (event: CellEvent) => void;
  readonly onProgress?: OnProgress;
}

/** What became of a cell. */
export interface CellEvent {
  readonly done: number;
  readonly total: number;
  readonly cell: Cell;
  readonly outcome: "started" | "done" | "kept" | "failed";
  readonly record?: ResultRecord;
}

/** What a sweep did, and what it left undone. */
export interface SweepResult {
  /** Path of the results file. */
  readonly results: string;
  /** Results of this sweep's cells; the file may hold those of others. */
  readonly records: readonly ResultRecord[];
  readonly done: number;
  readonly kept: number;
  readonly failed: number;
  readonly aborted: boolean;
}

/**
 * Runs every cell of a sweep that its folder has no result of yet, and writes each result the moment it is done. Throws
 * an EspalierError where the data cannot be read, or a name or an option is not known; after that a failure costs its
 * cell, and those that need what it would have made.
 */
export async function runSweep(config: SweepConfig, options: SweepOptions): Promise<SweepResult> {
  await mkdir(join(options.out, "models"), { recursive: true });
  const path = join(options.out, "results.jsonl");
  const run = new SweepRun(
    await withAvailableBackends(config, options.registry),
    options,
    await openResults(path),
  );
  const counts = await run.all();
  return { results: path, records: run.records, ...counts };
}

class SweepRun {
  readonly #options: SweepOptions;
  readonly #config: SweepConfig;
  readonly #file: ResultsFile;
  readonly #data: SweepData;
  readonly #checksums = new Map<string, string>();
  readonly #models: ModelStore;

  constructor(config: SweepConfig, options: SweepOptions, file: ResultsFile) {
    this.#config = config;
    this.#options = options;
    this.#file = file;
    this.#data = new SweepData(options.registry, { ...options.data, signal: options.signal });
    this.#models = new ModelStore(join(options.out, "models"), (cell) => this.#id(cell));
  }

  get records(): readonly ResultRecord[] {
    const own = new Set(cellsOf(this.#config).map((cell) => this.#id(cell)));
    return this.#file.records.filter(({ id }) => own.has(id));
  }

  async all(): Promise<{ done: number; kept: number; failed: number; aborted: boolean }> {
    const { signal, onCell } = this.#options;
    const cells = cellsOf(this.#config);
    const data: LoadedDataset[] = [];
    for (const dataset of this.#config.datasets) {
      const loaded = await this.#data.source({ ...this.#config, dataset });
      this.#checksums.set(dataset, loaded.checksum);
      data.push(loaded);
    }
    checkSweep(this.#config, this.#options.registry, data);
    const known = new Set(this.#file.records.flatMap((record) => (isFailure(record) ? [] : [record.id])));
    const counts = { done: 0, kept: 0, failed: 0, aborted: false };
    for (const [i, cell] of cells.entries()) {
      const at = { done: i, total: cells.length, cell };
      const id = this.#id(cell);
      if (known.has(id)) {
        counts.kept++;
        onCell?.({ ...at, outcome: "kept" });
        continue;
      }
      if (signal?.aborted) return { ...counts, aborted: true };
      onCell?.({ ...at, outcome: "started" });
      const record = await this.#attempt(cell);
      if (record === undefined) return { ...counts, aborted: true };
      await this.#file.append(record);
      const failed = isFailure(record);
      if (failed) this.#models.fail(id, record.error);
      else known.add(id);
      counts[failed ? "failed" : "done"]++;
      onCell?.({ ...at, done: i + 1, outcome: failed ? "failed" : "done", record });
    }
    return counts;
  }

  #id(cell: Cell): string {
    return cellId(cell, this.#checksums);
  }

  /** The cell's record; a failure is one too, and costs this cell only. Undefined where the signal stopped it. */
  async #attempt(cell: Cell): Promise<ResultRecord | undefined> {
    const start = performance.now();
    const checksum = this.#checksums.get(denseCell(cell).data.dataset)!;
    const common = () => ({
      format: 1 as const,
      id: this.#id(cell),
      environment: environment(checksum, { ...packageVersions(), ...this.#options.versions }),
      seconds: (performance.now() - start) / 1000,
    });
    try {
      if (cell.kind === "train") return { cell, result: await this.#train(cell), ...common() };
      if (cell.kind === "prune") return { cell, result: await this.#prune(cell), ...common() };
      if (cell.kind === "sensitivity") return { cell, result: await this.#sensitivity(cell), ...common() };
      return { cell, result: await this.#latency(cell), ...common() };
    } catch (error) {
      if (this.#options.signal?.aborted) return undefined;
      return { cell, error: error instanceof Error ? error.message : String(error), ...common() };
    }
  }

  async #train(cell: TrainCell): Promise<TrainRecord["result"]> {
    const data = await this.#data.windows(cell);
    const { model, epochs } = await this.#trainDense(cell);
    const test = await this.#test(model, data, cell.backend);
    return { test, epochs, counts: account(model), parts: partsOf(model), digest: digest(model) };
  }

  async #trainDense(cell: TrainCell): Promise<{ model: Model; epochs: number }> {
    const data = await this.#data.windows(cell);
    const { registry } = this.#options;
    const architecture = drawModel(registry, cell.model, { ...cell.data, series: data.series.length });
    const started = withData(architecture.initialize(cell.seed), data);
    const fitted = await this.#fit(started, data, cell.training, cell);
    await this.#models.keep(cell, fitted.model);
    return fitted;
  }

  async #prune(cell: PruneCell): Promise<PruneRecord["result"]> {
    const data = await this.#data.windows(cell.dense);
    const dense = await this.#dense(cell.dense);
    const made = await this.#makePruned(cell, dense, data);
    const { plan, pruned, tuned } = made;
    const before = await this.#denseResult(cell.dense, dense, data);
    const prunedErrors = await this.#test(pruned, data, cell.dense.backend);
    const tunedErrors =
      tuned.model === pruned ? prunedErrors : await this.#test(tuned.model, data, cell.dense.backend);
    return {
      applicable: plan.steps.length > 0,
      notes: plan.notes,
      target: plan.target!,
      sparsity: sparsity(pruned),
      expected: plan.expected,
      counts: account(pruned),
      parts: partsOf(pruned),
      dense: before,
      pruned: prunedErrors,
      tuned: tunedErrors,
      tuningEpochs: tuned.epochs,
      planSeconds: made.planSeconds,
      digest: digest(tuned.model),
    };
  }

  async #makePruned(cell: PruneCell, dense: Model, data: ForecastingData) {
    const { registry, signal } = this.#options;
    const backend = registry.backend(cell.dense.backend);
    const strategy = registry.strategy(cell.strategy);
    const collect = collector({ backend, windows: data.train, ...(signal && { signal }) });
    const start = performance.now();
    const plan = await meet(cell.target, strategy, { model: dense, collect, ...(signal && { signal }) });
    const pruned = prune(dense, plan);
    const planSeconds = (performance.now() - start) / 1000;
    const tuned =
      cell.fineTuning.epochs === 0 || plan.steps.length === 0
        ? { model: pruned, epochs: 0 }
        : await this.#fit(pruned, data, cell.fineTuning, cell.dense);
    await this.#models.keep(cell, tuned.model);
    return { plan, pruned, tuned, planSeconds };
  }

  async #sensitivity(cell: SensitivityCell): Promise<SensitivityRecord["result"]> {
    const { registry, signal, onProgress } = this.#options;
    const { amounts, windows: most } = cell.sensitivity;
    const model = await this.#dense(cell.dense);
    const { validation } = await this.#data.windows(cell.dense);
    const windows = spacedWindows(validation, most);
    const backend = registry.backend(cell.dense.backend);
    let report: ReturnType<typeof progressReporter> | undefined;
    return layerSensitivity({
      model,
      amounts,
      evaluate: async (pruned) => (await evaluate({ model: pruned, backend, windows })).mse,
      onProgress(done, total) {
        report ??= progressReporter(total, onProgress);
        report(done, "sensitivity");
      },
      ...(signal && { signal }),
    });
  }

  async #latency(cell: LatencyCell): Promise<LatencyRecord["result"]> {
    const backend = this.#options.registry.backend(cell.backend);
    const device = await expectTimes(backend);
    const dense = await this.#dense(cell.pruned.dense);
    const pruned = await this.#prunedModel(cell.pruned, dense);
    const { signal } = this.#options;
    const measured = await measureLatency({ dense, pruned }, backend, cell.batch, {
      ...cell.latency,
      ...(signal && { signal }),
    });
    return { device, ...measured, sparsity: sparsity(pruned) };
  }

  /** The trained dense model: at hand, from its file, or trained again, which gives the same. */
  async #dense(cell: TrainCell): Promise<Model> {
    return (await this.#models.find(cell)) ?? (await this.#trainDense(cell)).model;
  }

  async #prunedModel(cell: PruneCell, dense: Model): Promise<Model> {
    const kept = await this.#models.find(cell);
    if (kept !== undefined) return kept;
    const data = await this.#data.windows(cell.dense);
    return (await this.#makePruned(cell, dense, data)).tuned.model;
  }

  async #denseResult(
    cell: TrainCell,
    model: Model,
    data: ForecastingData,
  ): Promise<PruneRecord["result"]["dense"]> {
    const id = this.#id(cell);
    const record = this.#file.records.find((r) => r.id === id && isTrain(r)) as TrainRecord | undefined;
    const test = record?.result.test ?? (await this.#test(model, data, cell.backend));
    return { counts: account(model), test };
  }

  async #fit(
    model: Model,
    data: ForecastingData,
    training: TrainingConfig,
    cell: TrainCell,
  ): Promise<{ model: Model; epochs: number }> {
    const { registry, signal, onProgress } = this.#options;
    const result = await fit({
      model,
      backend: registry.backend(cell.backend),
      train: data.train,
      validation: data.validation,
      // What the ids of cells that say nothing of it have always stood for.
      settings: { rateSchedule: "halving", ...training, seed: cell.seed },
      data: { name: data.name, checksum: data.checksum },
      ...(signal && { signal }),
      ...(onProgress && { onProgress }),
    });
    // A fit that was cut short is no result: the cell is run again by the next sweep.
    signal?.throwIfAborted();
    return { model: result.model, epochs: result.epochs.length };
  }

  async #test(model: Model, data: ForecastingData, backend: string): Promise<TestErrors> {
    const { registry, signal, onProgress } = this.#options;
    const metrics = await evaluate({
      model,
      backend: registry.backend(backend),
      windows: data.test,
      scaler: data.scaler,
      ...(signal && { signal }),
      ...(onProgress && { onProgress }),
    });
    return errorsOf(metrics);
  }
}

function partsOf(model: Model): Parts {
  return { layers: layerCounts(model), heads: headDensities(model) };
}

function errorsOf({ mse, mae, rmse, original }: Metrics): TestErrors {
  if (original === undefined) return { mse, mae, rmse };
  return { mse, mae, rmse, original: { mse: original.mse, mae: original.mae, rmse: original.rmse } };
}
