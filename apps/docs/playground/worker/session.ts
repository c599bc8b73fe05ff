import { wasm } from "@espalier/backend-wasm";
import { webgpu } from "@espalier/backend-webgpu";
import {
  account,
  type Backend,
  EspalierError,
  type Model,
  type PruningPlan,
  randomInputs,
  sparsity,
  type Tensors,
} from "@espalier/core";
import { spacedWindows } from "@espalier/datasets";
import {
  formatRecipe,
  type Recipe,
  type RecipeEvent,
  registryOf,
  run,
  standardStrategies,
  type Workbench,
} from "@espalier/recipe";
import { createPause, evaluate, inputsFrom, type Metrics, windowShapeOf } from "@espalier/training";
import type {
  BackendName,
  BackendState,
  Choice,
  Counts,
  Errors,
  Fit,
  Forecast,
  Found,
  Latency,
  MeasureRequest,
  ModelSource,
  OpenedModel,
  Pruned,
  ReadSeries,
  SavedFile,
  SaveFormat,
  SeriesSource,
  Trained,
  Tuned,
  WeightsOnly,
  Wish,
} from "../protocol.ts";
import { recipeOf, tuning } from "../recipe.ts";
import { Forecasts } from "./forecasts.ts";
import { measurePair } from "./latency.ts";
import { bytesOf, candidatesOf, type Fetch, openModel } from "./open.ts";
import { headsOf, picturesOf } from "./pictures.ts";
import { denseFile, type PrunedModel, prunedFile } from "./save.ts";
import { findSmallest } from "./search.ts";
import { describeFrame, type Frame, frameFor, readSeries, type Series } from "./series.ts";
import { RememberedStrategies } from "./strategies.ts";
import { CurveFollower } from "./tuning-curve.ts";
import type { Work } from "./work.ts";

const backends: Readonly<Record<BackendName, Backend>> = { wasm: wasm(), webgpu: webgpu() };
const registry = registryOf({
  strategies: standardStrategies,
  backends: Object.values(backends),
  models: new Map(),
});

/** Most windows that the errors are measured on. */
const maxEvaluated = 64;

/** One visitor's model and series, and what became of them. Calls go one after the other. */
export class Session {
  readonly #fetch: Fetch;
  readonly #strategies = new RememberedStrategies(registry);
  readonly #forecasts = new Forecasts(backends.wasm);
  #file = "model";
  #dense: Model | undefined;
  #series: Series | undefined;
  #frame: Frame | undefined;
  /** On the frame, once they were asked for. */
  #denseErrors: Metrics | undefined;
  #pruned: PrunedModel | undefined;

  constructor(fetch: Fetch) {
    this.#fetch = fetch;
  }

  /** Opens a model; the one before stays where this one cannot be read. */
  async open(source: ModelSource, { signal, onProgress }: Work): Promise<OpenedModel | WeightsOnly> {
    onProgress({ what: "Opening the model" });
    if ("file" in source && source.weights === undefined) {
      const candidates = await candidatesOf(source.file, await bytesOf(source));
      if (candidates !== undefined) return { candidates };
    }
    const model = await openModel(source, this.#fetch);
    await checkAborted(signal);
    this.#forecasts.clear();
    this.#strategies.clear();
    this.#dense = model;
    this.#pruned = undefined;
    this.#file = "file" in source ? source.file.replace(/\.[^.]*$/, "") : source.shipped;
    const shape = shapeOf(model);
    return {
      name: model.name,
      file: this.#file,
      counts: countsOf(model),
      ...(shape && { window: shape }),
      ...this.#reframe(),
    };
  }

  /** Reads the series that forecasts are shown on. */
  async read(source: SeriesSource, { signal, onProgress }: Work): Promise<ReadSeries> {
    onProgress({ what: "Reading the series" });
    const [file, bytes] =
      "file" in source
        ? [source.file, await bytesOf(source)]
        : [source.shipped, await this.#fetch(source.url)];
    const { note, ...series } = readSeries(file, bytes);
    await checkAborted(signal);
    this.#series = series;
    this.#strategies.clear();
    const { name, rows, columns } = series.table;
    const shipped = "shipped" in source;
    return { name, rows, columns, shipped, ...(note !== undefined && { note }), ...this.#reframe() };
  }

  /** Plans, carries the plan out, and measures errors on the shown series if the model forecasts it. */
  async prune(choice: Choice, work: Work): Promise<Pruned> {
    return this.#run(choice, false, work);
  }

  /** Prunes again, reconstructs, and fine-tunes on the first half of the shown series. */
  async tune(choice: Choice, work: Work): Promise<Tuned> {
    const data = this.#dataToTrainOn("fine-tuning");
    const start = performance.now();
    const measuring = { backend: backends.wasm, windows: data.validation };
    const follower = new CurveFollower(this.#model(), tuning.fit.epochs, measuring, work);
    const pruned = await this.#run(choice, true, work, (event) => follower.follow(event));
    return { ...pruned, curve: follower.curve, ...this.#trained(recipeOf(choice, true), start) };
  }

  /** Searches for the smallest model whose error on the validation rows is within a limit. */
  async find(wish: Wish, work: Work): Promise<Found> {
    this.#dataToTrainOn("a search");
    const start = performance.now();
    const dense = this.#model();
    const { model, recipe, ...found } = await findSmallest(
      { model: dense, wish, workbench: this.#workbench(work, "a search needs a series") },
      work,
    );
    return {
      ...(await this.#keep({ model, how: "found" }, work)),
      ...found,
      ...this.#trained(recipe, start),
    };
  }

  #dataToTrainOn(what: string): Frame["data"] {
    const { data } = this.#frameOf(`${what} needs a series`);
    if (data.train.count >= 1 && data.validation.count >= 1) return data;
    throw new EspalierError(
      `${data.name} is too short for ${what}: give the rows of three windows, ${3 * (data.train.inputLength + data.train.horizon)}.`,
    );
  }

  /** The recipe as a file, and how long it took. */
  #trained(recipe: Recipe, start: number): Pick<Trained, "recipe" | "seconds"> {
    const { name, splits, missing } = this.#frameOf("fine-tuning needs a series").data;
    return {
      recipe: formatRecipe({
        ...recipe,
        data: {
          // A series that comes with the page has no file of that name: the command line names it.
          ...(/\.(csv|tsv|txt)$/i.test(name) && { dataset: name }),
          splits,
          missing: missing.rule,
        },
      }),
      seconds: (performance.now() - start) / 1000,
    };
  }

  #workbench(work: Work, why: string): Workbench {
    return {
      registry: { ...registry, strategy: (spec) => this.#strategies.get(spec, work.signal) },
      data: async () => this.#frameOf(why).data,
      backend: async () => backends.wasm,
    };
  }

  async #run(
    choice: Choice,
    tuned: boolean,
    work: Work,
    onEvent?: (event: RecipeEvent) => Promise<void>,
  ): Promise<Pruned> {
    const { signal, onProgress } = work;
    const dense = this.#model();
    const start = performance.now();
    let planned: { readonly plan: PruningPlan; readonly at: number } | undefined;
    const pause = createPause();
    let attempt = 0;
    const outcome = await run({
      recipe: recipeOf(choice, tuned),
      model: dense,
      signal,
      workbench: this.#workbench(work, `criterion "${choice.criterion}" looks at data`),
      async onEvent(event) {
        if (event.kind === "tried") onProgress({ what: `Planning, attempt ${++attempt}` });
        if (event.kind === "planned") planned = { plan: event.plan, at: performance.now() };
        if (event.kind === "layer")
          onProgress({ what: "Reconstructing", share: (event.done + 1) / event.total });
        if (event.kind === "progress" && event.what === "calibrate")
          onProgress({ what: "Calibrating", share: event.progress.done / event.progress.total });
        await onEvent?.(event);
        await pause();
      },
    });
    if (outcome.ended === "aborted") throw signal.reason;
    const { plan, at } = planned!;
    const kept = await this.#keep({ model: outcome.model, plan, ...(tuned && { how: "tuned" }) }, work);
    return {
      ...kept,
      plan: { target: plan.target!, steps: plan.steps.length, notes: plan.notes, planning: at - start },
    };
  }

  /** Shows a pruned model from now on. */
  async #keep(pruned: PrunedModel, work: Work): Promise<Pruned> {
    const [dense, { model }] = [this.#model(), pruned];
    const errors = await this.#errors(model, work);
    this.#forecasts.drop(this.#pruned?.model);
    this.#pruned = pruned;
    return {
      counts: countsOf(model),
      pictures: picturesOf(dense, model),
      heads: headsOf(dense, model),
      ...(errors && { errors }),
    };
  }

  /** One window of the shown series, and what both models make of it. */
  async forecast(window: number, _work: Work): Promise<Forecast> {
    const { model: pruned } = this.#prunedModel();
    const frame = this.#frameOf("a forecast needs a series");
    return this.#forecasts.both(this.#model(), pruned, frame, window);
  }

  /** Backends that this browser supports. */
  async backends(_nothing: undefined, _work: Work): Promise<BackendState[]> {
    const states: BackendState[] = [];
    for (const name of ["wasm", "webgpu"] as const) {
      const { available, detail, software = false } = await backends[name].availability();
      states.push({ name, available, detail, software });
    }
    return states;
  }

  /** Times both models, which take turns. */
  async measure({ backend, batch }: MeasureRequest, { signal, onProgress }: Work): Promise<Latency> {
    const [dense, { model: pruned }] = [this.#model(), this.#prunedModel()];
    const inputs = this.#inputs(batch);
    const measured = await measurePair({
      dense,
      pruned,
      backend: backends[backend],
      inputs,
      signal,
      onProgress,
    });
    return { backend, batch, ...measured };
  }

  /** The pruned model as a file, its plan, or the model before. */
  async save(format: SaveFormat, { onProgress }: Work): Promise<SavedFile> {
    onProgress({ what: "Writing the file" });
    if (format === "dense") return denseFile(this.#file, this.#model());
    return prunedFile(this.#file, this.#prunedModel(), format);
  }

  #model(): Model {
    if (this.#dense === undefined) throw new EspalierError("there is no model yet.");
    return this.#dense;
  }

  #prunedModel() {
    if (this.#pruned === undefined) throw new EspalierError("nothing is pruned yet.");
    return this.#pruned;
  }

  #frameOf(what: string): Frame {
    if (this.#frame !== undefined) return this.#frame;
    const { misfit } = this.#reframe();
    throw new EspalierError(`${what}: ${misfit ?? "there is no series yet."}`);
  }

  /** Cuts the series for the model, where both are there. */
  #reframe(): { readonly fit?: Fit; readonly misfit?: string } {
    this.#frame = undefined;
    this.#denseErrors = undefined;
    if (this.#dense === undefined || this.#series === undefined) return {};
    try {
      this.#frame = frameFor(this.#dense, this.#series);
      return { fit: describeFrame(this.#frame) };
    } catch (error) {
      if (error instanceof EspalierError) return { misfit: error.message };
      throw error;
    }
  }

  async #errors(pruned: Model, { signal }: Work): Promise<Errors | undefined> {
    if (this.#frame === undefined) return undefined;
    const some = spacedWindows(this.#frame.shown, maxEvaluated);
    const options = { backend: backends.wasm, windows: some, batchSize: 32, signal };
    this.#denseErrors ??= await evaluate({ ...options, model: this.#model() });
    const after = await evaluate({ ...options, model: pruned });
    return { windows: some.count, dense: this.#denseErrors, pruned: after };
  }

  /** Windows of the shown series, over and over; random numbers for models that do not forecast it. */
  #inputs(batch: number): Tensors {
    const model = this.#model();
    if (this.#frame === undefined) return randomInputs(model, batch);
    const { shown } = this.#frame;
    return inputsFrom(model.graph, shown)(Int32Array.from({ length: batch }, (_, i) => i % shown.count));
  }
}

/** Lets messages in; throws where one of them was to stop. Nothing is replaced before. */
async function checkAborted(signal: AbortSignal): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve));
  signal.throwIfAborted();
}

function countsOf(model: Model): Counts {
  const accounting = account(model);
  return { accounting, sparsity: sparsity(model, accounting) };
}

function shapeOf(model: Model): OpenedModel["window"] {
  try {
    const { inputLength, horizon, series } = windowShapeOf(model.graph);
    return { inputLength, horizon, series };
  } catch (error) {
    if (error instanceof EspalierError) return undefined;
    throw error;
  }
}
