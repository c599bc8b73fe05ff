import {
  account,
  digest,
  EspalierError,
  headDensities,
  layerCounts,
  layerSensitivity,
  type Model,
  sparsity,
} from "@espalier/core";
import { expectedAfter } from "@espalier/core/pruning";
import { type ForecastingData, spacedWindows } from "@espalier/datasets";
import { encodeModel, roundWeights, type StoredWeights } from "@espalier/formats";
import { UnwritableError } from "@espalier/formats/node";
import {
  type Outcome,
  type PlanSummary,
  type Recipe,
  type RecipeEvent,
  type Registry,
  run,
  runIdentity,
  summaryOf,
} from "@espalier/recipe";
import {
  compared,
  evaluate,
  type Metrics,
  maseOf,
  type OnProgress,
  progressReporter,
  unitsDiffer,
  withData,
} from "@espalier/training";
import { expectTimes } from "../measure/expect-times.ts";
import { measureLatency } from "../measure/latency.ts";
import { latencyMeter } from "../measure/meter.ts";
import { environment } from "../results/environment.ts";
import type {
  Files,
  LatencyRecord,
  Parts,
  PruneRecord,
  ResultRecord,
  SensitivityRecord,
  TestErrors,
  TrainRecord,
} from "../results/records.ts";
import { packageVersions } from "../results/versions.ts";
import type { CellStore } from "./cell-store.ts";
import {
  type Cell,
  cellRate,
  denseCell,
  type LatencyCell,
  type ModelCell,
  type PruneCell,
  recipeOf,
  type SensitivityCell,
  type TrainCell,
} from "./cells.ts";
import { startClock } from "./clock.ts";
import type { SweepData } from "./sweep-data.ts";

/** Tools to run cells with. */
export interface CellContext {
  readonly registry: Registry;
  readonly data: SweepData;
  readonly store: CellStore;
  /** Checksums of data sets and files of weights, by the names that cells have for them. */
  readonly checksums: ReadonlyMap<string, string>;
  /** Name of a cell, see `cellId`. */
  id(cell: Cell): string;
  readonly signal?: AbortSignal | undefined;
  /** Versions of further packages, for the record. */
  readonly versions?: Readonly<Record<string, string>> | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** Runs cells, each by itself: what other cells have made comes from the store, or is made again. */
export class CellRunner {
  readonly #context: CellContext;
  /** Clock of the current cell. */
  #clock = startClock();

  constructor(context: CellContext) {
    this.#context = context;
  }

  /**
   * The cell's record; a failure is one too, and costs this cell only. Undefined if the signal stopped it. Throws an
   * UnwritableError if models cannot be written.
   */
  async run(cell: Cell): Promise<ResultRecord | undefined> {
    this.#clock = startClock();
    const checksum = this.#context.checksums.get(denseCell(cell).data.dataset)!;
    const common = (simd?: string) => ({
      format: 1 as const,
      id: this.#context.id(cell),
      environment: {
        ...environment(checksum, { ...packageVersions(), ...this.#context.versions }),
        ...(simd !== undefined && { simd }),
      },
      ...this.#clock.spent(),
    });
    try {
      const simd = await this.#simd(cell);
      if (cell.kind === "train") return { cell, result: await this.#train(cell), ...common(simd) };
      if (cell.kind === "prune") return { cell, result: await this.#prune(cell), ...common(simd) };
      if (cell.kind === "sensitivity")
        return { cell, result: await this.#sensitivity(cell), ...common(simd) };
      return { cell, result: await this.#latency(cell), ...common(simd) };
    } catch (error) {
      if (this.#context.signal?.aborted) return undefined;
      // It would cost every further cell, too.
      if (error instanceof UnwritableError) throw error;
      return { cell, error: error instanceof Error ? error.message : String(error), ...common() };
    }
  }

  async #simd(cell: Cell): Promise<string | undefined> {
    const name = cell.kind === "latency" ? cell.backend : denseCell(cell).backend;
    return (await this.#context.registry.backend(name).availability()).simd;
  }

  async #train(cell: TrainCell): Promise<TrainRecord["result"]> {
    const data = await this.#context.data.windows(cell);
    const { model, epochs } = await this.#trainDense(cell);
    const metrics = await this.#metrics(model, data, cell.backend);
    const { season, last, seasonal } = compared(metrics, data.test, data);
    return {
      test: errorsBySeries(metrics, data),
      naive: {
        season,
        last: errorsBySeries(last, data),
        ...(seasonal && { seasonal: errorsBySeries(seasonal.errors, data) }),
      },
      epochs,
      counts: account(model),
      parts: partsOf(model),
      files: await this.#files(cell, model, data),
      digest: digest(model),
    };
  }

  async #trainDense(cell: TrainCell): Promise<{ model: Model; epochs: number }> {
    const data = await this.#context.data.windows(cell);
    const started = withData(await this.#context.data.model(cell), data);
    const { epochs, ...settings } = cell.training;
    const trained =
      epochs === 0
        ? { model: started, epochs: 0 }
        : await this.#run(cell, started, {
            recipe: {
              steps: [{ do: "train", fit: { ...cellRate, ...settings, epochs } }],
              seed: cell.seed,
            },
          }).then(({ model, steps }) => ({ model, epochs: steps[0]!.fit!.epochs.length }));
    await this.#keep(cell, trained.model);
    return trained;
  }

  async #prune(cell: PruneCell): Promise<PruneRecord["result"]> {
    const data = await this.#context.data.windows(cell.dense);
    const dense = await this.#dense(cell.dense);
    const { model, pruned = model, steps } = await this.#makePruned(cell, dense);
    const before = await this.#denseResult(cell.dense, dense, data);
    const { backend } = cell.dense;
    const metrics = await this.#metrics(pruned, data, backend);
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
      pruned: errorsOf(metrics, data),
      tuned: errorsBySeries(model === pruned ? metrics : await this.#metrics(model, data, backend), data),
      tuningEpochs: fits.length,
      ...(best && { validation: best.validation }),
      files: await this.#files(cell.dense, model, data),
      planSeconds: planned.reduce((sum, { does, seconds }) => sum + (does === "tune" ? 0 : seconds), 0),
      digest: digest(model),
    };
  }

  async #makePruned(cell: PruneCell, dense: Model): Promise<Outcome> {
    const recipe = recipeOf(cell);
    const planned: PlanSummary[] = [];
    const outcome = await this.#run(cell, dense, {
      recipe,
      onEvent(event) {
        if (event.kind !== "planned") return;
        planned.push(summaryOf(event.plan));
        // A strategy with nothing to prune leaves the dense model as it is; tuning it would compare another thing.
        if ("strategy" in cell && event.plan.steps.length === 0) throw new NothingToPrune();
      },
    }).catch((error: unknown): Outcome => {
      if (!(error instanceof NothingToPrune)) throw error;
      const step = { step: 0, does: "prune", plan: planned.at(-1)!, seconds: 0 } as const;
      return { dense, pruned: dense, model: dense, steps: [step], ended: "finished" };
    });
    await this.#keep(cell, outcome.model);
    return outcome;
  }

  async #keep(cell: ModelCell, model: Model): Promise<void> {
    const { store } = this.#context;
    await store.keep(cell, model);
    await store.unfinished?.(cell).clear();
  }

  /**
   * Runs a cell's steps, from where a stopped process left them; throws where the signal stopped them: what was cut short is
   * no result.
   */
  async #run(
    cell: ModelCell,
    model: Model,
    { recipe: steps, onEvent }: { readonly recipe: Recipe; readonly onEvent?: (event: RecipeEvent) => void },
  ): Promise<Outcome> {
    const { registry, signal, onProgress, store } = this.#context;
    const dense = denseCell(cell);
    const recipe = { ...steps, backend: dense.backend };
    const unfinished = store.unfinished?.(cell);
    const stopped = await unfinished?.load();
    // One of an earlier version, whose runs were others, is no use.
    const resume = stopped?.checkpoint.run === runIdentity(recipe, model) ? stopped : undefined;
    if (resume !== undefined) this.#clock.add(resume.spent);
    const outcome = await run({
      recipe,
      model,
      resume: resume?.checkpoint,
      workbench: {
        registry,
        data: () => this.#context.data.windows(dense),
        backend: async (name) => registry.backend(name ?? dense.backend),
        latency: (unpruned, { backend = "wasm", ...settings }) =>
          latencyMeter(unpruned, {
            backend: registry.backend(backend),
            ...settings,
            ...(signal && { signal }),
          }),
      },
      signal,
      onEvent(event) {
        if (event.kind === "progress") onProgress?.(event.progress);
        onEvent?.(event);
      },
      onCheckpoint: (checkpoint) => unfinished?.save({ checkpoint, spent: this.#clock.spent() }),
    });
    if (outcome.ended === "aborted") throw signal!.reason;
    return outcome;
  }

  async #sensitivity(cell: SensitivityCell): Promise<SensitivityRecord["result"]> {
    const { registry, signal, onProgress } = this.#context;
    const { amounts, windows: most } = cell.sensitivity;
    const model = await this.#dense(cell.dense);
    const { validation } = await this.#context.data.windows(cell.dense);
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
    const backend = this.#context.registry.backend(cell.backend);
    const device = await expectTimes(backend);
    const dense = await this.#dense(cell.pruned.dense);
    const pruned = await this.#prunedModel(cell.pruned, dense);
    const { signal } = this.#context;
    const measured = await measureLatency({ dense, pruned }, backend, cell.batch, {
      ...cell.latency,
      ...(signal && { signal }),
    });
    return { device, ...measured, sparsity: sparsity(pruned) };
  }

  /** The trained dense model: at hand, from its file, or trained again, which gives the same. */
  async #dense(cell: TrainCell): Promise<Model> {
    return (await this.#context.store.find(cell)) ?? (await this.#trainDense(cell)).model;
  }

  async #prunedModel(cell: PruneCell, dense: Model): Promise<Model> {
    const kept = await this.#context.store.find(cell);
    if (kept !== undefined) return kept;
    return (await this.#makePruned(cell, dense)).model;
  }

  async #denseResult(
    cell: TrainCell,
    model: Model,
    data: ForecastingData,
  ): Promise<PruneRecord["result"]["dense"]> {
    const known = await this.#context.store.errorsOf(cell);
    if (known === undefined)
      return { counts: account(model), test: errorsOf(await this.#metrics(model, data, cell.backend), data) };
    const { bySeries: _, ...test } = known;
    return { counts: account(model), test };
  }

  /** The model's file in each form; with errors in those that its dense cell asks for. */
  async #files({ backend, store = [] }: TrainCell, model: Model, data: ForecastingData): Promise<Files> {
    const bytes: { float32: number } & { [form in StoredWeights]?: number } = {
      float32: encodeModel(model).length,
    };
    const errors: { [form in StoredWeights]?: TestErrors } = {};
    for (const form of new Set<StoredWeights>(["int8", ...store])) {
      const stored = rounded(model, form);
      if (stored === undefined) continue;
      bytes[form] = encodeModel(stored).length;
      if (store.includes(form)) errors[form] = errorsOf(await this.#metrics(stored, data, backend), data);
    }
    return { bytes, ...(store.length > 0 && { errors }) };
  }

  #metrics(model: Model, data: ForecastingData, backend: string): Promise<Metrics> {
    const { registry, signal, onProgress } = this.#context;
    return evaluate({
      model,
      backend: registry.backend(backend),
      windows: data.test,
      scaler: data.scaler,
      ...(signal && { signal }),
      ...(onProgress && { onProgress }),
    });
  }
}

/** Ends the run of a strategy that has nothing to prune. */
class NothingToPrune extends Error {}

/** The target of a recipe that prunes nothing. */
const nothingAsked = { metric: "sparsity", asked: 0, achieved: 0, met: true } as const;

/** The model with rounded weights; undefined if it has a weight that the form cannot hold. */
function rounded(model: Model, form: StoredWeights): Model | undefined {
  try {
    return roundWeights(model, form);
  } catch (error) {
    if (error instanceof EspalierError) return undefined;
    throw error;
  }
}

function partsOf(model: Model): Parts {
  return { layers: layerCounts(model), heads: headDensities(model) };
}

function errorsOf(metrics: Metrics, data: ForecastingData): TestErrors {
  const { mse, mae, rmse, original } = metrics;
  return {
    mse,
    mae,
    rmse,
    mase: finite(maseOf(metrics, data).all),
    ...(original && { original: { mse: original.mse, mae: original.mae, rmse: original.rmse } }),
  };
}

/** Also by series, if their units differ. */
function errorsBySeries(metrics: Metrics, data: ForecastingData): TestErrors {
  const errors = errorsOf(metrics, data);
  const { original } = metrics;
  if (original === undefined || !unitsDiffer(data.scaler)) return errors;
  const mase = maseOf(metrics, data).series;
  return {
    ...errors,
    bySeries: original.series.map(({ mse, mae }, i) => ({
      name: data.series[i]!,
      mse: short(mse),
      mae: short(mae),
      mase: finite(short(mase[i]!)),
    })),
  };
}

/** Six digits: there may be hundreds of series. */
function short(value: number): number {
  return Number(value.toPrecision(6));
}

/** JSON has no NaN. */
function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
