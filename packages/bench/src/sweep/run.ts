import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import {
  account,
  digest,
  headDensities,
  layerCounts,
  layerSensitivity,
  type Model,
  sparsity,
} from "@espalier/core";
import { expectedAfter } from "@espalier/core/pruning";
import { type ForecastingData, type LoadedDataset, spacedWindows } from "@espalier/datasets";
import { readBytes } from "@espalier/formats/node";
import {
  type Outcome,
  type PlanSummary,
  type Recipe,
  type RecipeEvent,
  type Registry,
  run,
  summaryOf,
} from "@espalier/recipe";
import { evaluate, type Metrics, type OnProgress, progressReporter, withData } from "@espalier/training";
import { expectTimes } from "../measure/expect-times.ts";
import { measureLatency } from "../measure/latency.ts";
import { latencyMeter } from "../measure/meter.ts";
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
  cellRate,
  cellsOf,
  denseCell,
  type LatencyCell,
  type PruneCell,
  recipeOf,
  type SensitivityCell,
  type TrainCell,
} from "./cells.ts";
import { checkSweep } from "./check.ts";
import type { SweepConfig } from "./config.ts";
import { ModelStore } from "./model-store.ts";
import { type DataPlaces, SweepData } from "./sweep-data.ts";

/** Options of a run of a sweep. */
export interface SweepOptions {
  /** Folder for `results.jsonl` and the models; created if it does not exist. Existing results are not computed again. */
  readonly out: string;
  readonly registry: Registry;
  readonly signal?: AbortSignal;
  /** Data set folder, cache and download settings. */
  readonly data?: DataPlaces;
  /** Versions of further packages, for the record. */
  readonly versions?: Readonly<Record<string, string>>;
  /** Called when a cell starts, and when it ends. */
  readonly onCell?: (event: CellEvent) => void;
  readonly onProgress?: OnProgress;
}

/** The outcome of a cell. */
export interface CellEvent {
  readonly done: number;
  readonly total: number;
  readonly cell: Cell;
  readonly outcome: "started" | "done" | "kept" | "failed";
  readonly record?: ResultRecord;
}

/** The outcome of a sweep. */
export interface SweepResult {
  /** Path of the results file. */
  readonly results: string;
  /** Results of this sweep's cells; the file may hold others. */
  readonly records: readonly ResultRecord[];
  readonly done: number;
  readonly kept: number;
  readonly failed: number;
  readonly aborted: boolean;
}

/**
 * Runs every cell of a sweep that has no result in the folder, and writes each result as soon as it is done. Throws an
 * EspalierError if the data cannot be read, or a name or an option is unknown; after that a failure only affects its
 * cell and those that depend on it.
 */
export async function runSweep(config: SweepConfig, options: SweepOptions): Promise<SweepResult> {
  await mkdir(join(options.out, "models"), { recursive: true });
  const path = join(options.out, "results.jsonl");
  const sweep = new SweepRun(
    await withAvailableBackends(config, options.registry),
    options,
    await openResults(path),
  );
  const counts = await sweep.all();
  return { results: path, records: sweep.records, ...counts };
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
    for (const path of weightsIn(this.#config)) this.#checksums.set(path, await fileChecksum(path));
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

  /** The cell's record. A failure is a record too, and only affects this cell. Undefined if the signal stopped it. */
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
    const started = withData(await this.#data.model(cell), data);
    const { epochs, ...settings } = cell.training;
    const trained =
      epochs === 0
        ? { model: started, epochs: 0 }
        : await this.#run(cell, started, {
            steps: [{ do: "train", fit: { ...cellRate, ...settings, epochs } }],
            seed: cell.seed,
          }).then(({ model, steps }) => ({ model, epochs: steps[0]!.fit!.epochs.length }));
    await this.#models.keep(cell, trained.model);
    return trained;
  }

  async #prune(cell: PruneCell): Promise<PruneRecord["result"]> {
    const data = await this.#data.windows(cell.dense);
    const dense = await this.#dense(cell.dense);
    const { model, pruned = model, steps } = await this.#makePruned(cell, dense);
    const before = await this.#denseResult(cell.dense, dense, data);
    const { backend } = cell.dense;
    const prunedErrors = await this.#test(pruned, data, backend);
    const fits = steps.flatMap(({ fit: done }) => done?.epochs ?? []);
    const best = fits.findLast((epoch) => epoch.best);
    const planned = steps.filter(({ plan }) => plan !== undefined);
    const { plan } = planned.at(-1) ?? {};
    return {
      applicable: plan === undefined || plan.steps > 0,
      notes: [...new Set(planned.flatMap((step) => step.plan!.notes))],
      target: plan?.target ?? nothingAsked,
      sparsity: sparsity(model),
      expected: plan?.expected ?? expectedAfter(model, []),
      counts: account(model),
      parts: partsOf(model),
      dense: before,
      pruned: prunedErrors,
      tuned: model === pruned ? prunedErrors : await this.#test(model, data, backend),
      tuningEpochs: fits.length,
      ...(best && { validation: best.validation }),
      planSeconds: planned.reduce((sum, { does, seconds }) => sum + (does === "tune" ? 0 : seconds), 0),
      digest: digest(model),
    };
  }

  async #makePruned(cell: PruneCell, dense: Model): Promise<Outcome> {
    const recipe = recipeOf(cell);
    const planned: PlanSummary[] = [];
    const outcome = await this.#run(cell.dense, dense, recipe, (event) => {
      if (event.kind !== "planned") return;
      planned.push(summaryOf(event.plan));
      // A strategy with nothing to prune leaves the dense model unchanged; tuning it would be a different comparison.
      if ("strategy" in cell && event.plan.steps.length === 0) throw new NothingToPrune();
    }).catch((error: unknown): Outcome => {
      if (!(error instanceof NothingToPrune)) throw error;
      const step = { step: 0, does: "prune", plan: planned.at(-1)!, seconds: 0 } as const;
      return { dense, pruned: dense, model: dense, steps: [step], ended: "finished" };
    });
    await this.#models.keep(cell, outcome.model);
    return outcome;
  }

  /** Runs steps on a cell's data. Throws if the signal stopped them: an unfinished run is not a result. */
  async #run(
    cell: TrainCell,
    model: Model,
    recipe: Recipe,
    onEvent?: (event: RecipeEvent) => void,
  ): Promise<Outcome> {
    const { registry, signal, onProgress } = this.#options;
    const outcome = await run({
      recipe: { ...recipe, backend: cell.backend },
      model,
      workbench: {
        registry,
        data: () => this.#data.windows(cell),
        backend: async (name) => registry.backend(name ?? cell.backend),
        latency: (dense, { backend = "wasm", ...settings }) =>
          latencyMeter(dense, { backend: registry.backend(backend), ...settings, ...(signal && { signal }) }),
      },
      signal,
      onEvent(event) {
        if (event.kind === "progress") onProgress?.(event.progress);
        onEvent?.(event);
      },
    });
    if (outcome.ended === "aborted") throw signal!.reason;
    return outcome;
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

  /** The trained dense model: from memory, from its file, or trained again with the same result. */
  async #dense(cell: TrainCell): Promise<Model> {
    return (await this.#models.find(cell)) ?? (await this.#trainDense(cell)).model;
  }

  async #prunedModel(cell: PruneCell, dense: Model): Promise<Model> {
    const kept = await this.#models.find(cell);
    if (kept !== undefined) return kept;
    return (await this.#makePruned(cell, dense)).model;
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

function weightsIn({ models }: SweepConfig): string[] {
  return models.flatMap(({ weights }) => (typeof weights === "string" ? [weights] : []));
}

async function fileChecksum(path: string): Promise<string> {
  return createHash("sha256")
    .update(await readBytes(path, "weights"))
    .digest("hex");
}

/** Ends the run of a strategy that has nothing to prune. */
class NothingToPrune extends Error {}

/** The target of a recipe that prunes nothing. */
const nothingAsked = { metric: "sparsity", asked: 0, achieved: 0, met: true } as const;

function partsOf(model: Model): Parts {
  return { layers: layerCounts(model), heads: headDensities(model) };
}

function errorsOf({ mse, mae, rmse, original }: Metrics): TestErrors {
  if (original === undefined) return { mse, mae, rmse };
  return { mse, mae, rmse, original: { mse: original.mse, mae: original.mae, rmse: original.rmse } };
}
