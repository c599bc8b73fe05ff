import { wasm } from "@espalier/backend-wasm";
import { webgpu } from "@espalier/backend-webgpu";
import { type LoadedProgram, loadProgram } from "@espalier/bench/measure";
import {
  account,
  type Backend,
  EspalierError,
  type Model,
  type PruningPlan,
  planToJson,
  prune,
  randomInputs,
  type Strategy,
  type StrategySpec,
  sparsity,
  type Tensors,
} from "@espalier/core";
import { spacedWindows, unscaleValues } from "@espalier/datasets";
import { encodeModel, writeOnnx } from "@espalier/formats";
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
  TuningCurve,
  WeightsOnly,
  Wish,
} from "../protocol.ts";
import { recipeOf, tuning } from "../recipe.ts";
import { measurePair } from "./latency.ts";
import { bytesOf, candidatesOf, type Fetch, openModel } from "./open.ts";
import { headsOf, picturesOf } from "./pictures.ts";
import { findSmallest } from "./search.ts";
import { describeFrame, type Frame, frameFor, readSeries, type Series } from "./series.ts";
import type { Work } from "./work.ts";

const backends: Readonly<Record<BackendName, Backend>> = { wasm: wasm(), webgpu: webgpu() };
const registry = registryOf({
  strategies: standardStrategies,
  backends: Object.values(backends),
  models: new Map(),
});

/** Strategies that are remembered: scores of a large model take much memory. */
const maxStrategies = 2;
/** Most windows that the errors are measured on. */
const maxEvaluated = 64;

interface PrunedModel {
  readonly model: Model;
  readonly plan?: PruningPlan;
  /** Absent if it was not fine-tuned. */
  readonly how?: "tuned" | "found";
}

/** One visitor's model and series, and what became of them. Calls go one after the other. */
export class Session {
  readonly #fetch: Fetch;
  /** Strategies remember their scores: the same one again plans at once. */
  readonly #strategies = new Map<string, Strategy>();
  readonly #programs = new Map<Model, LoadedProgram>();
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
    this.#forget();
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
    const dense = this.#model();
    const { epochs } = tuning.fit;
    let curve: TuningCurve | undefined;
    let fitting: number | undefined;
    const validationError = async (model: Model) => {
      const options = { windows: data.validation, batchSize: 32, signal: work.signal };
      return (await evaluate({ ...options, backend: backends.wasm, model })).mse;
    };
    const pruned = await this.#run(choice, true, work, async (event) => {
      if (event.kind === "planned") {
        const errors = [await validationError(prune(dense, event.plan))];
        curve = { dense: await validationError(dense), errors, best: 0, epochs };
      }
      if (curve === undefined) return;
      if (event.kind === "epoch") {
        const { validation, best, epoch } = event.record;
        const errors = [...curve.errors, validation.mse];
        curve = { ...curve, errors, best: best ? epoch : curve.best };
      }
      if (event.kind !== "progress" || event.what !== "fit") return;
      const done = curve.errors.length - 1;
      const share = event.progress.done / event.progress.total;
      fitting ??= performance.now();
      const spent = (performance.now() - fitting) / 1000;
      work.onProgress({
        what: `Fine-tuning, epoch ${Math.min(done + 1, epochs)} of ${epochs}`,
        share,
        remaining: (spent * (1 - share)) / share,
        curve,
      });
    });
    return { ...pruned, curve: curve!, ...this.#trained(recipeOf(choice, true), start) };
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
      registry: { ...registry, strategy: (spec) => this.#remembered(spec, work) },
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
    this.#drop(this.#pruned?.model);
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
    const { shown, table, scaler } = frame;
    const { inputLength, horizon, series } = shown;
    const start = shown.rowOf(window);
    const rows = (from: number, count: number) =>
      bySeries(table.values.subarray(from * series, (from + count) * series), series);
    const [before, after] = [
      await this.#forecastOf(this.#model(), frame, window),
      await this.#forecastOf(pruned, frame, window),
    ].map((values) => bySeries(unscaleValues(values, scaler), series));
    return {
      window,
      history: rows(start, inputLength),
      truth: rows(start + inputLength, horizon),
      dense: before!,
      pruned: after!,
      ...(table.timestamps && { timestamps: table.timestamps.slice(start, start + inputLength + horizon) }),
    };
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
    const binary = "application/octet-stream";
    if (format === "dense") return fileOf(`${this.#file}.safetensors`, binary, encodeModel(this.#model()));
    const { model, plan, how } = this.#prunedModel();
    const words = [this.#file, how, plan?.strategy.replace(/\(.*/, ""), Math.round(100 * sparsity(model))];
    const name = words.filter((word) => word !== undefined).join("-");
    if (format === "plan") {
      if (plan === undefined)
        throw new EspalierError("a model that was searched for has a recipe in place of a plan.");
      return fileOf(`${name}.plan.json`, "application/json", new TextEncoder().encode(planToJson(plan)));
    }
    if (format === "safetensors") return fileOf(`${name}.safetensors`, binary, encodeModel(model));
    return fileOf(`${name}.onnx`, binary, writeOnnx(model));
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

  /** A strategy with the scores it already has; lets messages in before each plan, which is promises alone. */
  #remembered(spec: StrategySpec, { signal }: Work): Strategy {
    const key = JSON.stringify(spec);
    const strategy = this.#strategies.get(key) ?? registry.strategy(spec);
    // The last one used stands last.
    this.#strategies.delete(key);
    this.#strategies.set(key, strategy);
    for (const old of [...this.#strategies.keys()].slice(0, -maxStrategies)) this.#strategies.delete(old);
    const pause = createPause();
    return {
      name: strategy.name,
      async plan(request) {
        await pause();
        signal.throwIfAborted();
        return strategy.plan(request);
      },
    };
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

  async #forecastOf(model: Model, { shown }: Frame, window: number): Promise<Float64Array> {
    const program = this.#programs.get(model) ?? (await loadProgram(model, backends.wasm, 1));
    this.#programs.set(model, program);
    const outputs = await program.run(inputsFrom(model.graph, shown)([window]));
    return Float64Array.from(outputs.get(model.graph.outputs[0]!.name)!.data);
  }

  /** Windows of the shown series, over and over; random numbers for models that do not forecast it. */
  #inputs(batch: number): Tensors {
    const model = this.#model();
    if (this.#frame === undefined) return randomInputs(model, batch);
    const { shown } = this.#frame;
    return inputsFrom(model.graph, shown)(Int32Array.from({ length: batch }, (_, i) => i % shown.count));
  }

  #drop(model: Model | undefined): void {
    if (model === undefined) return;
    this.#programs.get(model)?.dispose();
    this.#programs.delete(model);
  }

  #forget(): void {
    for (const model of this.#programs.keys()) this.#drop(model);
    this.#strategies.clear();
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

/** Rows × series as one array a series. */
function bySeries(values: Float64Array, series: number): Float64Array[] {
  return Array.from({ length: series }, (_, s) =>
    Float64Array.from({ length: values.length / series }, (_, row) => values[row * series + s]!),
  );
}

function fileOf(name: string, type: string, bytes: Uint8Array): SavedFile {
  return { name, type, bytes: new Uint8Array(bytes) };
}
