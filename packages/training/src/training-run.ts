import {
  digest,
  EspalierError,
  float32,
  type Json,
  type Model,
  type Program,
  type Snapshot,
  type State,
  type TensorData,
  withTensors,
} from "@espalier/core";
import { type Graph, randomStream } from "@espalier/core/graph";
import { targetEntry } from "@espalier/core/pruning";
import { inputsFrom } from "@espalier/datasets";
import type { FitOrigin, TrainingCheckpoint } from "./checkpoint.ts";
import type { EpochRecord } from "./epoch.ts";
import { evaluateProgram } from "./evaluate.ts";
import type { FitRequest, FitResult } from "./fit-request.ts";
import { GradualSchedule, settingsOf } from "./gradual.ts";
import { MaskChanges } from "./mask-changes.ts";
import type { Metrics } from "./metrics.ts";
import { closedMasks, masksIn, maskTensors, withOpenMasks } from "./moving-masks.ts";
import type { FitSettings } from "./options.ts";
import { createPause } from "./pause.ts";
import { progressReporter } from "./progress.ts";
import { rateAt } from "./rate.ts";
import { TeacherForecasts } from "./teacher.ts";
import { defaultAdam, drawTrainingStep, type TrainingStep } from "./training-step.ts";

/** A running fit. */
export class TrainingRun {
  readonly #request: FitRequest;
  readonly #settings: FitSettings;
  readonly #state: State;
  readonly #step: Program;
  readonly #evaluation: Program;
  readonly #drawn: TrainingStep;
  readonly #teacher: TeacherForecasts | undefined;
  readonly #gradual: GradualSchedule | undefined;
  readonly #masks: MaskChanges | undefined;
  readonly #records: EpochRecord[];
  readonly #pause = createPause();
  #best: Snapshot | undefined;
  /** Counts the steps of all epochs. */
  #report: ReturnType<typeof progressReporter> | undefined;

  private constructor(
    request: FitRequest,
    settings: FitSettings,
    parts: {
      readonly state: State;
      readonly step: Program;
      readonly evaluation: Program;
      readonly drawn: TrainingStep;
      readonly teacher: TeacherForecasts | undefined;
      readonly gradual: GradualSchedule | undefined;
      readonly masks: MaskChanges | undefined;
    },
  ) {
    this.#request = request;
    this.#settings = settings;
    this.#state = parts.state;
    this.#step = parts.step;
    this.#evaluation = parts.evaluation;
    this.#drawn = parts.drawn;
    this.#teacher = parts.teacher;
    this.#gradual = parts.gradual;
    this.#masks = parts.masks;
    this.#records = [...(request.resume?.epochs ?? [])];
  }

  static async start(request: FitRequest, settings: FitSettings): Promise<TrainingRun> {
    const { backend, resume, signal } = request;
    const { seed, weightDecay, groupPenalty, regrow } = settings;
    const gradual = request.gradual && (await GradualSchedule.create(request.gradual, request.model, signal));
    const model = gradual === undefined ? request.model : withOpenMasks(request.model);
    if (regrow !== undefined && model.masks.size === 0) {
      throw new EspalierError(
        "no weight of the model is masked, so none can regrow. Prune it first, or drop regrow.",
      );
    }
    const loss = { seed, groupPenalty, distillation: request.teacher?.weight ?? 0 };
    const drawn = drawTrainingStep(model, { ...loss, adam: { ...defaultAdam, weightDecay } });
    const moving = gradual !== undefined || regrow !== undefined;
    const masked = moving ? maskTensors(model) : [];
    const state = await backend.createState(new Map([...model.tensors, ...masked, ...drawn.tensors]));
    const step = await backend.compile(drawn.graph, { state, batch: [settings.batchSize] });
    const evaluation = await backend.compile(model.graph, { state });
    const { train } = request;
    const teacher =
      request.teacher &&
      (await TeacherForecasts.create({
        ...{ teacher: request.teacher, backend, train },
        batchSize: Math.min(settings.batchSize, train.count),
        batchesPerEpoch: batchesPerEpoch(train.count, settings),
      }));
    const masks = await MaskChanges.create({ model, backend, state, gradual, regrow, loss });
    const parts = { state, step, evaluation, drawn, teacher, gradual, masks };
    const run = new TrainingRun(request, settings, parts);
    if (resume !== undefined) {
      resume.check(settings, originOf(request));
      expectTensors(resume, drawn);
      await state.write(resume.best);
      if (run.#reached(resume.epochs.length)) run.#best = await state.snapshot(run.#kept());
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
    const target = this.#gradual?.target;
    return { model: await this.#result(), epochs: this.#records, ...(target && { target }), ended };
  }

  dispose(): void {
    this.#best?.dispose();
    this.#step.dispose();
    this.#masks?.dispose();
    this.#evaluation.dispose();
    this.#state.dispose();
    this.#teacher?.dispose();
  }

  /** Runs one epoch; undefined if the signal stopped it. */
  async #epoch(epoch: number): Promise<EpochRecord | undefined> {
    const { train, signal, onProgress } = this.#request;
    const { learningRate: rate, epochs } = this.#settings;
    const start = performance.now();
    const batches = shuffledBatches(train.count, epoch, this.#settings);
    const inputs = inputsFrom(fromData(this.#drawn.graph), train);
    const total = epochs * batches.length;
    this.#report ??= progressReporter(total, onProgress, (epoch - 1) * batches.length);
    let learningRate = rate;
    let sum = 0;
    for (const [i, indices] of batches.entries()) {
      await this.#pause();
      if (signal?.aborted) return undefined;
      const step = (epoch - 1) * batches.length + i;
      learningRate = rateAt(step, batches.length, this.#settings);
      const given = inputs(indices).set("learningRate", float32([], [learningRate]));
      if (this.#teacher !== undefined) given.set("teacher", await this.#teacher.of(indices));
      if (!(await this.#changeMasks(step, total, given))) return undefined;
      const loss = (await this.#step.run(given)).get("loss")!.data[0]!;
      if (!Number.isFinite(loss)) {
        throw new EspalierError(
          `training diverged in epoch ${epoch}, step ${i + 1}: the loss is ${loss}. Lower the learning rate (${rate}).`,
        );
      }
      sum += loss;
      this.#report(step + 1, `epoch ${epoch} of ${this.#settings.epochs}`, sum / (i + 1));
    }
    const errors = await this.#validate();
    if (errors === undefined) return undefined;
    const { mse, mae } = errors;
    if (!Number.isFinite(mse)) {
      throw new EspalierError(
        `training diverged in epoch ${epoch}: the validation error is ${mse}. Lower the learning rate (${rate}).`,
      );
    }
    const best =
      this.#reached(epoch) && this.#records.every((record) => !record.best || mse < record.validation.mse);
    if (best) {
      this.#best?.dispose();
      this.#best = await this.#state.snapshot(this.#kept());
    }
    const trainLoss = sum / batches.length;
    const seconds = (performance.now() - start) / 1000;
    const record: EpochRecord = { epoch, learningRate, trainLoss, validation: { mse, mae }, best, seconds };
    this.#records.push(record);
    await this.#checkpoint();
    await this.#request.onEpoch?.(record);
    return record;
  }

  /** Changes masks if it is time to; false if the signal stopped it. */
  async #changeMasks(step: number, total: number, inputs: ReadonlyMap<string, TensorData>): Promise<boolean> {
    try {
      await this.#masks?.before(step, total, inputs);
      return true;
    } catch (error) {
      if (this.#request.signal?.aborted) return false;
      throw error;
    }
  }

  /** Whether the model has reached its target after an epoch. */
  #reached(epoch: number): boolean {
    if (this.#masks === undefined) return true;
    const steps = batchesPerEpoch(this.#request.train.count, this.#settings);
    return epoch * steps > this.#masks.reachedAt(this.#settings.epochs * steps);
  }

  /** Names of the tensors that are remembered for the best epoch. */
  #kept(): string[] {
    return [...new Set([...this.#drawn.changing, ...(this.#masks?.masks.names ?? [])])];
  }

  /** Errors over all validation windows; undefined if the signal stopped it. */
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

  async #checkpoint(): Promise<void> {
    const { onCheckpoint } = this.#request;
    if (onCheckpoint === undefined) return;
    const { TrainingCheckpoint } = await import("./checkpoint.ts");
    const tensors = await this.#state.read([...this.#kept(), ...this.#optimiserNames()]);
    const best = await this.#bestTensors();
    await onCheckpoint(
      new TrainingCheckpoint(this.#settings, originOf(this.#request), this.#records, tensors, best),
    );
  }

  #optimiserNames(): string[] {
    const { graph, tensors } = this.#drawn;
    return graph.updates.flatMap(({ tensor }) => (tensors.has(tensor) ? [tensor] : []));
  }

  /** The best weights as data; the state does not change. */
  async #bestTensors(): Promise<ReadonlyMap<string, TensorData>> {
    const names = this.#kept();
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
      ...(this.#gradual === undefined
        ? {}
        : { gradual: { ...this.#gradual.settings, target: targetEntry(this.#gradual.target) } }),
    };
    const tensors = await this.#bestTensors();
    const masks =
      this.#masks === undefined ? model.masks : closedMasks(masksIn(tensors, this.#masks.masks.tensors));
    return withTensors({ ...model, masks }, tensors, [entry]);
  }
}

/** Throws an EspalierError if a checkpoint lacks a tensor that a step changes. */
function expectTensors({ tensors, best }: TrainingCheckpoint, drawn: TrainingStep): void {
  const changed = drawn.graph.updates.map(({ tensor }) => tensor);
  const missing =
    changed.find((name) => !tensors.has(name)) ?? drawn.changing.find((name) => !best.has(name));
  if (missing !== undefined) throw new EspalierError(`the checkpoint is damaged: it lacks "${missing}".`);
}

function originOf({ model, data, teacher, gradual }: FitRequest): FitOrigin {
  const taught = teacher && `${digest(teacher.model)} ${teacher.weight}`;
  const pruning = gradual && JSON.stringify(settingsOf(gradual));
  return { model: digest(model), data: data?.checksum, teacher: taught, gradual: pruning };
}

function batchesPerEpoch(count: number, { batchSize, batchesPerEpoch: most }: FitSettings): number {
  return Math.min(Math.floor(count / Math.min(batchSize, count)), most ?? Number.POSITIVE_INFINITY);
}

/** The windows of an epoch in batches, in an order that depends on seed and epoch alone. The last partial batch is left out. */
function shuffledBatches(count: number, epoch: number, settings: FitSettings): Int32Array[] {
  const order = Int32Array.from({ length: count }, (_, i) => i);
  const random = randomStream(settings.seed, `shuffle ${epoch}`);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  const size = Math.min(settings.batchSize, count);
  return Array.from({ length: batchesPerEpoch(count, settings) }, (_, i) =>
    order.subarray(i * size, (i + 1) * size),
  );
}

/** The graph with only those inputs that come from data. */
function fromData(graph: Graph): Graph {
  const others = ["learningRate", "teacher"];
  return { ...graph, inputs: graph.inputs.filter(({ name }) => !others.includes(name)) };
}
