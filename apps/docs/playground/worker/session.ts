import { wasm } from "@espalier/backend-wasm";
import { webgpu } from "@espalier/backend-webgpu";
import { type LoadedProgram, loadProgram } from "@espalier/bench/measure";
import {
  account,
  type Backend,
  EspalierError,
  type Model,
  meet,
  type PruningPlan,
  planToJson,
  prune,
  type Strategy,
  sparsity,
  type Tensors,
} from "@espalier/core";
import { randomInputs } from "@espalier/core/testing";
import { spacedWindows, type Table, unscaleValues } from "@espalier/datasets";
import { encodeModel, writeOnnx } from "@espalier/formats";
import {
  collector,
  createPause,
  evaluate,
  inputsFrom,
  type Metrics,
  windowShapeOf,
} from "@espalier/training";
import type {
  BackendName,
  BackendState,
  Choice,
  Counts,
  Errors,
  Fit,
  Forecast,
  Latency,
  MeasureRequest,
  ModelSource,
  OpenedModel,
  Pruned,
  ReadSeries,
  SavedFile,
  SaveFormat,
  SeriesSource,
  WeightsOnly,
  WorkProgress,
} from "../protocol.ts";
import { specOf } from "../recipe.ts";
import { measurePair } from "./latency.ts";
import { bytesOf, candidatesOf, type Fetch, openModel } from "./open.ts";
import { headsOf, picturesOf } from "./pictures.ts";
import { describeFrame, type Frame, frameFor, readSeries } from "./series.ts";
import { strategyOf } from "./strategies.ts";

/** What every call may say, and listen to. */
export interface Work {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: WorkProgress) => void;
}

/** Strategies that are remembered: scores of a large model take much memory. */
const mostStrategies = 2;
/** Most windows that the errors are measured on. */
const mostEvaluated = 64;

/** One visitor's model and series, and what became of them. Calls go one after the other. */
export class Session {
  readonly #fetch: Fetch;
  readonly #backends: Readonly<Record<BackendName, Backend>> = { wasm: wasm(), webgpu: webgpu() };
  /** Strategies remember their scores: the same one again plans at once. */
  readonly #strategies = new Map<string, Strategy>();
  readonly #programs = new Map<Model, LoadedProgram>();
  #file = "model";
  #dense: Model | undefined;
  #table: Table | undefined;
  #frame: Frame | undefined;
  /** On the frame, once they were asked for. */
  #denseErrors: Metrics | undefined;
  #pruned: { readonly model: Model; readonly plan: PruningPlan } | undefined;

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
    await heard(signal);
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
    const { table, note } = readSeries(file, bytes);
    await heard(signal);
    this.#table = table;
    this.#strategies.clear();
    const { name, rows, columns } = table;
    const shipped = "shipped" in source;
    return { name, rows, columns, shipped, ...(note !== undefined && { note }), ...this.#reframe() };
  }

  /** Plans, carries the plan out, and measures errors on the shown series where the model forecasts it. */
  async prune(choice: Choice, work: Work): Promise<Pruned> {
    const { signal, onProgress } = work;
    const dense = this.#model();
    const strategy = this.#strategy(choice);
    const start = performance.now();
    const plan = await meet(choice.target, heardBetween(strategy, work), {
      model: dense,
      signal,
      collect: async (collection) => {
        const frame = this.#frameOf(`criterion "${choice.criterion}" looks at data`);
        return collector({
          backend: this.#backends.wasm,
          windows: frame.calibration,
          signal,
          onProgress: ({ done, total }) => onProgress({ what: "Calibrating", share: done / total }),
        })(collection);
      },
    });
    const model = prune(dense, plan);
    const planning = performance.now() - start;
    const errors = await this.#errors(model, work);
    this.#drop(this.#pruned?.model);
    this.#pruned = { model, plan };
    return {
      counts: countsOf(model),
      target: plan.target!,
      steps: plan.steps.length,
      notes: plan.notes,
      pictures: picturesOf(dense, model),
      heads: headsOf(dense, model),
      planning,
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
      await this.#run(this.#model(), frame, window),
      await this.#run(pruned, frame, window),
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

  /** What this browser can run on. */
  async backends(_nothing: undefined, _work: Work): Promise<BackendState[]> {
    const states: BackendState[] = [];
    for (const name of ["wasm", "webgpu"] as const) {
      const { available, detail, software = false } = await this.#backends[name].availability();
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
      backend: this.#backends[backend],
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
    const { model, plan } = this.#prunedModel();
    const name = `${this.#file}-${plan.strategy.replace(/\(.*/, "")}-${Math.round(100 * sparsity(model))}`;
    if (format === "plan") {
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

  /** The strategy of a choice, with the scores it already has. */
  #strategy(choice: Choice): Strategy {
    const spec = specOf(choice);
    const key = JSON.stringify(spec);
    const strategy = this.#strategies.get(key) ?? strategyOf(spec);
    // The last one used stands last.
    this.#strategies.delete(key);
    this.#strategies.set(key, strategy);
    for (const old of [...this.#strategies.keys()].slice(0, -mostStrategies)) this.#strategies.delete(old);
    return strategy;
  }

  /** Cuts the series for the model, where both are there. */
  #reframe(): { readonly fit?: Fit; readonly misfit?: string } {
    this.#frame = undefined;
    this.#denseErrors = undefined;
    if (this.#dense === undefined || this.#table === undefined) return {};
    try {
      this.#frame = frameFor(this.#dense, this.#table);
      return { fit: describeFrame(this.#frame) };
    } catch (error) {
      if (error instanceof EspalierError) return { misfit: error.message };
      throw error;
    }
  }

  async #errors(pruned: Model, { signal }: Work): Promise<Errors | undefined> {
    if (this.#frame === undefined) return undefined;
    const some = spacedWindows(this.#frame.shown, mostEvaluated);
    const options = { backend: this.#backends.wasm, windows: some, batchSize: 32, signal };
    this.#denseErrors ??= await evaluate({ ...options, model: this.#model() });
    const after = await evaluate({ ...options, model: pruned });
    return { windows: some.count, dense: this.#denseErrors, pruned: after };
  }

  async #run(model: Model, { shown }: Frame, window: number): Promise<Float64Array> {
    const program = this.#programs.get(model) ?? (await loadProgram(model, this.#backends.wasm, 1));
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
async function heard(signal: AbortSignal): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve));
  signal.throwIfAborted();
}

/** The strategy, that lets messages in before each plan: planning is promises alone, which never do. */
function heardBetween(strategy: Strategy, { signal, onProgress }: Work): Strategy {
  const pause = createPause();
  let attempt = 0;
  return {
    name: strategy.name,
    async plan(request) {
      onProgress({ what: `Planning, attempt ${++attempt}` });
      await pause();
      signal.throwIfAborted();
      return strategy.plan(request);
    },
  };
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
