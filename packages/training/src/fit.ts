import {
  type Backend,
  digest,
  EspalierError,
  float32,
  type Graph,
  type Json,
  type Model,
  type Program,
  randomStream,
  type Snapshot,
  type State,
  type TensorData,
  withTensors,
} from "@espalier/core";
import type { WindowSet } from "@espalier/datasets";
import type { FitOrigin, TrainingCheckpoint } from "./checkpoint.ts";
import { evaluateProgram } from "./evaluate.ts";
import { inputsFrom } from "./inputs.ts";
import type { Metrics } from "./metrics.ts";
import { type FitOptions, type FitSettings, readSettings } from "./options.ts";
import { createPause } from "./pause.ts";
import { type OnProgress, progressReporter } from "./progress.ts";
import { defaultAdam, drawTrainingStep, type TrainingStep } from "./training-step.ts";

/** What is known after an epoch. */
export interface EpochRecord {
  /** From 1. */
  readonly epoch: number;
  readonly learningRate: number;
  /** Mean squared error over the epoch's batches, in training mode. */
  readonly trainLoss: number;
  /** Errors over all validation windows, in evaluation mode. */
  readonly validation: { readonly mse: number; readonly mae: number };
  /** Whether this is the best epoch so far. */
  readonly best: boolean;
  readonly seconds: number;
}

/** What is trained, on what, and how. */
export interface FitRequest {
  readonly model: Model;
  readonly backend: Backend;
  readonly train: WindowSet;
  readonly validation: WindowSet;
  readonly settings?: FitOptions;
  /** A model whose forecasts are learned from as well: the dense one, while a pruned one is fine-tuned. */
  readonly teacher?: Teacher;
  /** Recorded in the model's history. */
  readonly data?: { readonly name: string; readonly checksum: string };
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
  /** Told after each epoch; the next one waits for it. */
  readonly onEpoch?: (record: EpochRecord) => void | Promise<void>;
  /** Called after every epoch with all that is needed to go on from there. */
  readonly onCheckpoint?: (checkpoint: TrainingCheckpoint) => void | Promise<void>;
  /** Goes on from a checkpoint of a fit with the same settings. */
  readonly resume?: TrainingCheckpoint;
}

/** Knowledge distillation (Hinton et al., 2015), for forecasts: part of the loss is the distance from the teacher's. */
export interface Teacher {
  readonly model: Model;
  /** Share of the loss, in (0, 1]. */
  readonly weight: number;
}

/** What a fit led to. */
export interface FitResult {
  /** With the weights of the best epoch. */
  readonly model: Model;
  readonly epochs: readonly EpochRecord[];
  /** Why it ended: all epochs done, no better for `patience` epochs, or the signal. */
  readonly ended: "finished" | "early" | "aborted";
}

/**
 * Trains a model with Adam on the mean squared error and keeps the weights of the epoch with the least validation error.
 * An aborted fit ends after the step that runs and keeps the best so far. The same settings, data and backend give the
 * same weights, also when it was interrupted and resumed.
 */
export async function fit(request: FitRequest): Promise<FitResult> {
  const settings = readSettings(request.settings ?? {});
  if (request.train.count === 0) throw new EspalierError("there is no training window.");
  const weight = request.teacher?.weight;
  if (weight !== undefined && !(weight > 0 && weight <= 1)) {
    throw new EspalierError(`the teacher's weight ${weight} is outside (0, 1].`);
  }
  const run = await TrainingRun.start(request, settings);
  try {
    return await run.toTheEnd();
  } finally {
    run.dispose();
  }
}

class TrainingRun {
  readonly #request: FitRequest;
  readonly #settings: FitSettings;
  readonly #state: State;
  readonly #step: Program;
  readonly #evaluation: Program;
  readonly #drawn: TrainingStep;
  readonly #teacher: { readonly state: State; readonly program: Program } | undefined;
  readonly #records: EpochRecord[];
  readonly #pause = createPause();
  #best: Snapshot | undefined;

  private constructor(
    request: FitRequest,
    settings: FitSettings,
    parts: {
      readonly state: State;
      readonly step: Program;
      readonly evaluation: Program;
      readonly drawn: TrainingStep;
      readonly teacher: { readonly state: State; readonly program: Program } | undefined;
    },
  ) {
    this.#request = request;
    this.#settings = settings;
    this.#state = parts.state;
    this.#step = parts.step;
    this.#evaluation = parts.evaluation;
    this.#drawn = parts.drawn;
    this.#teacher = parts.teacher;
    this.#records = [...(request.resume?.epochs ?? [])];
  }

  static async start(request: FitRequest, settings: FitSettings): Promise<TrainingRun> {
    const { model, backend, resume } = request;
    const drawn = drawTrainingStep(model, {
      seed: settings.seed,
      adam: { ...defaultAdam, weightDecay: settings.weightDecay },
      distillation: request.teacher?.weight ?? 0,
    });
    const state = await backend.createState(new Map([...model.tensors, ...drawn.tensors]));
    const step = await backend.compile(drawn.graph, { state, batch: [settings.batchSize] });
    const evaluation = await backend.compile(model.graph, { state });
    const teacher = request.teacher && (await compileModel(request.teacher.model, backend));
    const run = new TrainingRun(request, settings, { state, step, evaluation, drawn, teacher });
    if (resume !== undefined) {
      resume.check(settings, originOf(request));
      expectTensors(resume, drawn);
      await state.write(resume.best);
      run.#best = await state.snapshot(drawn.changing);
      await state.write(resume.tensors);
    }
    return run;
  }

  async toTheEnd(): Promise<FitResult> {
    const { epochs, patience } = this.#settings;
    const { signal } = this.#request;
    let ended: FitResult["ended"] = "finished";
    while (this.#records.length < epochs) {
      if (patience > 0 && this.#epochsSinceBest() >= patience) {
        ended = "early";
        break;
      }
      const record = signal?.aborted ? undefined : await this.#epoch(this.#records.length + 1);
      if (record === undefined) {
        ended = "aborted";
        break;
      }
    }
    return { model: await this.#result(), epochs: this.#records, ended };
  }

  dispose(): void {
    this.#best?.dispose();
    this.#step.dispose();
    this.#evaluation.dispose();
    this.#state.dispose();
    this.#teacher?.program.dispose();
    this.#teacher?.state.dispose();
  }

  /** One epoch; undefined where the signal stopped it. */
  async #epoch(epoch: number): Promise<EpochRecord | undefined> {
    const { train, signal, onProgress } = this.#request;
    const { learningRate: rate, rateSchedule } = this.#settings;
    const start = performance.now();
    const learningRate = rateSchedule === "halving" ? rate * 0.5 ** (epoch - 1) : rate;
    const batches = shuffledBatches(train.count, epoch, this.#settings);
    const inputs = inputsFrom(fromData(this.#drawn.graph), train);
    const teach = this.#teaching();
    const report = progressReporter(batches.length, onProgress);
    let sum = 0;
    for (const [i, indices] of batches.entries()) {
      await this.#pause();
      if (signal?.aborted) return undefined;
      const given = inputs(indices).set("learningRate", float32([], [learningRate]));
      if (teach !== undefined) given.set("teacher", await teach(indices));
      const loss = (await this.#step.run(given)).get("loss")!.data[0]!;
      if (!Number.isFinite(loss)) {
        throw new EspalierError(
          `training diverged in epoch ${epoch}, step ${i + 1}: the loss is ${loss}. Lower the learning rate (${rate}).`,
        );
      }
      sum += loss;
      report(i + 1, `epoch ${epoch} of ${this.#settings.epochs}`, sum / (i + 1));
    }
    const errors = await this.#validate();
    if (errors === undefined) return undefined;
    const { mse, mae } = errors;
    if (!Number.isFinite(mse)) {
      throw new EspalierError(
        `training diverged in epoch ${epoch}: the validation error is ${mse}. Lower the learning rate (${rate}).`,
      );
    }
    const best = this.#records.every((record) => mse < record.validation.mse);
    if (best) {
      this.#best?.dispose();
      this.#best = await this.#state.snapshot(this.#drawn.changing);
    }
    const trainLoss = sum / batches.length;
    const seconds = (performance.now() - start) / 1000;
    const record: EpochRecord = { epoch, learningRate, trainLoss, validation: { mse, mae }, best, seconds };
    this.#records.push(record);
    await this.#checkpoint();
    await this.#request.onEpoch?.(record);
    return record;
  }

  /** Errors over all validation windows; undefined where the signal stopped it. */
  async #validate(): Promise<Metrics | undefined> {
    const { model, validation: windows, signal } = this.#request;
    const options = { windows, ...(signal === undefined ? {} : { signal }) };
    try {
      return await evaluateProgram(this.#evaluation, model.graph, options);
    } catch (error) {
      if (signal?.aborted) return undefined;
      throw error;
    }
  }

  /** Forecasts of the teacher, where there is one. */
  #teaching(): ((indices: Int32Array) => Promise<TensorData>) | undefined {
    const { teacher, train } = this.#request;
    if (teacher === undefined || this.#teacher === undefined) return undefined;
    const { program } = this.#teacher;
    const inputs = inputsFrom(teacher.model.graph, train);
    const output = teacher.model.graph.outputs[0]!.name;
    return async (indices) => (await program.run(inputs(indices), { read: [output] })).get(output)!;
  }

  async #checkpoint(): Promise<void> {
    const { onCheckpoint } = this.#request;
    if (onCheckpoint === undefined) return;
    const { TrainingCheckpoint } = await import("./checkpoint.ts");
    const tensors = await this.#state.read([...this.#drawn.changing, ...this.#optimiserNames()]);
    const best = await this.#bestTensors();
    await onCheckpoint(
      new TrainingCheckpoint(this.#settings, originOf(this.#request), this.#records, tensors, best),
    );
  }

  #optimiserNames(): string[] {
    const { graph, tensors } = this.#drawn;
    return graph.updates.flatMap(({ tensor }) => (tensors.has(tensor) ? [tensor] : []));
  }

  /** The best weights as data; the state is left as it was. */
  async #bestTensors(): Promise<ReadonlyMap<string, TensorData>> {
    const names = this.#drawn.changing;
    if (this.#best === undefined) return this.#state.read(names);
    const now = await this.#state.snapshot(names);
    await this.#best.restore();
    const tensors = await this.#state.read(names);
    await now.restore();
    now.dispose();
    return tensors;
  }

  #epochsSinceBest(): number {
    const best = this.#records.findLastIndex((record) => record.best);
    return best < 0 ? 0 : this.#records.length - 1 - best;
  }

  async #result(): Promise<Model> {
    const { model, data, teacher } = this.#request;
    if (this.#best === undefined) return model;
    const best = this.#records.findLast((record) => record.best)!;
    const entry: Json = {
      did: "fit",
      settings: this.#settings as unknown as Json,
      backend: this.#request.backend.name,
      epochs: this.#records.length,
      best: best.epoch,
      validation: { ...best.validation },
      ...(data === undefined ? {} : { data: { ...data } }),
      ...(teacher === undefined ? {} : { teacher: { model: digest(teacher.model), weight: teacher.weight } }),
    };
    return withTensors(model, await this.#bestTensors(), [entry]);
  }
}

/** What a checkpoint must hold to go on from: whatever a step changes. */
function expectTensors({ tensors, best }: TrainingCheckpoint, drawn: TrainingStep): void {
  const changed = drawn.graph.updates.map(({ tensor }) => tensor);
  const missing =
    changed.find((name) => !tensors.has(name)) ?? drawn.changing.find((name) => !best.has(name));
  if (missing !== undefined) throw new EspalierError(`the checkpoint is damaged: it lacks "${missing}".`);
}

function originOf({ model, data, teacher }: FitRequest): FitOrigin {
  const taught = teacher && `${digest(teacher.model)} ${teacher.weight}`;
  return { model: digest(model), data: data?.checksum, teacher: taught };
}

async function compileModel(model: Model, backend: Backend): Promise<{ state: State; program: Program }> {
  const state = await backend.createState(model.tensors);
  return { state, program: await backend.compile(model.graph, { state }) };
}

/** The windows of an epoch in batches, in an order that depends on seed and epoch alone. The last partial batch is left out. */
function shuffledBatches(
  count: number,
  epoch: number,
  { batchSize, seed, batchesPerEpoch }: FitSettings,
): Int32Array[] {
  const order = Int32Array.from({ length: count }, (_, i) => i);
  const random = randomStream(seed, `shuffle ${epoch}`);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  const size = Math.min(batchSize, count);
  const full = Math.min(Math.floor(count / size), batchesPerEpoch ?? Number.POSITIVE_INFINITY);
  return Array.from({ length: full }, (_, i) => order.subarray(i * size, (i + 1) * size));
}

/** The graph with those of its inputs that come from data. */
function fromData(graph: Graph): Graph {
  const others = ["learningRate", "teacher"];
  return { ...graph, inputs: graph.inputs.filter(({ name }) => !others.includes(name)) };
}
