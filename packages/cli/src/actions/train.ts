import { appendFile, rm, stat } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { account, type Backend, EspalierError, type Model } from "@espalier/core";
import type { ForecastingData } from "@espalier/datasets";
import { isDataFile } from "@espalier/datasets/node";
import {
  checkReplaceable,
  loadModel,
  readBytes,
  saveModel,
  takeLock,
  writeFileAtomically,
  writing,
} from "@espalier/formats/node";
import { drawnFor } from "@espalier/recipe";
import { createRegistry } from "@espalier/recipe/standard";
import { formatBytes, formatCount, plural } from "@espalier/report/text";
import {
  compared,
  type EpochRecord,
  evaluate,
  type FitResult,
  fit,
  forecastingDataFor,
  type Metrics,
  readSettings,
  TrainingCheckpoint,
  withData,
} from "@espalier/training";
import type { TrainOptions } from "../commands/train.ts";
import type { Context } from "../context.ts";
import { fitSettings, required } from "../options/groups.ts";
import { comparisonJson, metricsLines } from "../output/metrics.ts";
import { type Bar, openBar } from "../output/progress.ts";
import { headingLines } from "../output/table.ts";
import { resumingCommand } from "../shared/again.ts";
import { expectApart } from "../shared/apart.ts";
import { openBackend } from "../shared/backend.ts";
import { loadSource, loadSourceFor } from "../shared/data.ts";
import { showEvaluation, showFit } from "../shared/fitting.ts";
import { chosenModel } from "../shared/models.ts";

/** Paths of the files that a training run writes. */
interface Files {
  readonly out: string;
  /** The state that resuming needs in addition to the model. */
  readonly checkpoint: string;
  readonly log: string | undefined;
}

/** `espalier train`. */
export async function train(options: TrainOptions, context: Context): Promise<void> {
  const bar = await openBar(context);
  const training = new Training(options, context, bar);
  const release = await training.lock();
  try {
    await training.run();
  } finally {
    bar.stop();
    await release();
  }
}

class Training {
  readonly #options: TrainOptions;
  readonly #context: Context;
  readonly #bar: Bar;
  /** The path as the user wrote it. */
  readonly #out: string;
  readonly #files: Files;

  constructor(options: TrainOptions, context: Context, bar: Bar) {
    this.#options = options;
    this.#context = context;
    this.#bar = bar;
    this.#out = required(options.out, "--out FILE for the model");
    const out = context.path(this.#out);
    const log = options.log === undefined ? undefined : context.path(options.log);
    this.#files = { out, checkpoint: `${out}.checkpoint`, log };
  }

  /** Keeps other commands from writing the same files, once it is known that they can be written. */
  async lock(): Promise<() => Promise<void>> {
    const { out } = this.#files;
    const { resume = false, force = false, epochs } = this.#options;
    refuseIdle(this.#options, epochs);
    const { from, dataset, options, log } = this.#options;
    const data = dataset !== undefined && isDataFile(dataset) ? dataset : undefined;
    const read = { "--from": from, "--dataset": data, "--options": options };
    await expectApart({ "--out": this.#out, "--log": log }, read, this.#context);
    await checkReplaceable(out, force || resume);
    return takeLock(`${out}.lock`, this.#out);
  }

  async run(): Promise<void> {
    const resume = await this.#startFiles();
    const registry = createRegistry();
    const { model, data } = await this.#prepare(registry);
    if (this.#options.resume && resume === undefined && (await this.#finished(model, data))) return;
    const backend = await openBackend(registry, this.#options);
    this.#context.endsInOrder(this.#bar.line);
    const result = await this.#fit(model, data, backend, resume);
    await this.#save(result);
    if (result.ended === "aborted") throw this.#stopped(result);
    await rm(this.#files.checkpoint, { force: true });
    const test = await evaluate({
      model: result.model,
      backend,
      windows: data.test,
      scaler: data.scaler,
      signal: this.#context.signal,
      onProgress: showEvaluation(this.#bar, "test"),
    });
    this.#bar.stop();
    await this.#report(result, data, test);
  }

  /** Checks existing files before anything long begins. */
  async #startFiles(): Promise<TrainingCheckpoint | undefined> {
    const { checkpoint, log } = this.#files;
    const { resume = false, force = false } = this.#options;
    const stopped = await exists(checkpoint);
    if (resume) {
      if (!stopped) {
        await this.#startLog([], true);
        return undefined;
      }
      const read = TrainingCheckpoint.decode(
        await readBytes(checkpoint, "checkpoint"),
        `checkpoint ${checkpoint}`,
      );
      await this.#startLog(read.epochs, true);
      return read;
    }
    if (stopped && !force) {
      throw new EspalierError(
        `${checkpoint} exists: an earlier run was stopped. Give --resume to continue it, or --force to start again.`,
      );
    }
    if (log !== undefined) await checkReplaceable(log, force);
    await this.#startLog([], force);
    return undefined;
  }

  /** Whether the model file is the finished result of this command; if so, prints that. */
  async #finished(model: Model, data: ForecastingData): Promise<boolean> {
    const { out } = this.#files;
    if (!(await exists(out))) return false;
    const made = await loadModel(out);
    const fitted = made.history.findLast((entry) => isFit(entry)) as FitEntry | undefined;
    const settings = readSettings(fitSettings(this.#options, this.#options.epochs));
    const { epochs, patience } = settings;
    const ended = (fit: FitEntry) =>
      fit.epochs === epochs || (patience > 0 && fit.epochs - fit.best >= patience);
    const same =
      fitted !== undefined &&
      ended(fitted) &&
      sameJson(fitted.settings, settings) &&
      fitted.data?.checksum === data.checksum &&
      sameJson(made.options, model.options) &&
      made.history.length === model.history.length + 1;
    if (!same) {
      throw new EspalierError(
        `${this.#out} exists and is not the result of this command. Give --force to replace it, or choose another name.`,
      );
    }
    this.#bar.stop();
    this.#context.print([
      `${this.#context.colors.green(this.#out)}  finished: ${plural(fitted.epochs, "epoch")}, best ${fitted.best}. There is nothing left to train.`,
    ]);
    return true;
  }

  async #startLog(epochs: readonly EpochRecord[], force: boolean): Promise<void> {
    const { log } = this.#files;
    if (log === undefined) return;
    await writeFileAtomically(log, epochs.map((record) => `${JSON.stringify(record)}\n`).join(""), { force });
  }

  async #prepare(
    registry: ReturnType<typeof createRegistry>,
  ): Promise<{ model: Model; data: ForecastingData }> {
    const options = this.#options;
    const { scale, splits } = options;
    if (options.model === undefined) {
      const model = await chosenModel(options, registry, this.#context);
      const source = await loadSourceFor(model, options, this.#context, this.#bar);
      const data = forecastingDataFor(model, source, { scale, splits });
      return { model: withData(model, data), data };
    }
    const source = await loadSource(options.dataset ?? "synthetic", options, this.#context, this.#bar);
    const fresh = { data: drawnFor(source.table), seed: options.seed };
    const model = await chosenModel(options, registry, this.#context, fresh);
    const data = forecastingDataFor(model, source, { scale, splits });
    return { model: withData(model, data), data };
  }

  async #fit(
    model: Model,
    data: ForecastingData,
    backend: Backend,
    resume: TrainingCheckpoint | undefined,
  ): Promise<FitResult> {
    const { checkpoint, log } = this.#files;
    const shown = showFit(this.#bar, this.#context, {
      epochs: this.#options.epochs,
      done: resume?.epochs ?? [],
    });
    return fit({
      model,
      backend,
      train: data.train,
      validation: data.validation,
      settings: fitSettings(this.#options, this.#options.epochs),
      data: { name: data.name, checksum: data.checksum },
      signal: this.#context.signal,
      onProgress: shown.onProgress,
      onEpoch: async (record) => {
        shown.onEpoch(record);
        if (log !== undefined) await writing(log, () => appendFile(log, `${JSON.stringify(record)}\n`));
      },
      onCheckpoint: (state) => writeFileAtomically(checkpoint, state.encode(), { force: true }),
      ...(resume === undefined ? {} : { resume }),
    });
  }

  async #save({ model, epochs, ended }: FitResult): Promise<void> {
    if (ended === "aborted" && epochs.length === 0) return;
    const { force = false, resume = false } = this.#options;
    await saveModel(this.#files.out, model, { force: force || resume });
  }

  /** The line printed after a Ctrl-C: what was kept, and how to resume. */
  #stopped({ epochs }: FitResult): Error {
    this.#bar.stop();
    if (epochs.length === 0)
      return new EspalierError("stopped before the first epoch finished: nothing was written.");
    const best = epochs.findLast((record) => record.best)!.epoch;
    return new EspalierError(
      `stopped after ${plural(epochs.length, "epoch")}; ${this.#out} holds the best, epoch ${best}. To resume: ${resumingCommand(this.#context)}`,
    );
  }

  async #report(result: FitResult, data: ForecastingData, test: Metrics): Promise<void> {
    const { model, epochs, ended } = result;
    const { print, colors } = this.#context;
    const { size } = await stat(this.#files.out);
    const best = epochs.findLast((record) => record.best);
    const { total } = account(model).parameters;
    const comparison = compared(test, data.test, data);
    if (this.#options.json) {
      const { name, checksum, series } = data;
      const described = {
        name,
        checksum,
        series,
        windows: [data.train, data.validation, data.test].map((w) => w.count),
      };
      const file = {
        file: this.#out,
        bytes: size,
        name: model.name,
        options: model.options,
        parameters: total,
      };
      print([
        JSON.stringify(
          {
            model: file,
            data: described,
            ended,
            best: best?.epoch ?? null,
            epochs,
            test: { ...test, ...comparisonJson(comparison) },
          },
          null,
          2,
        ),
      ]);
      return;
    }
    const early = ended === "early" ? ", stopped early" : "";
    const fitted =
      best === undefined ? "not trained" : `${plural(epochs.length, "epoch")}, best ${best.epoch}${early}`;
    const { inputLength, horizon } = data.test;
    const options = { split: "test", data, detail: this.#options.detail };
    print([
      ...headingLines(model.name, ` on ${data.name}, ${inputLength} → ${horizon}, ${fitted}`, colors),
      "",
      ...metricsLines(test, comparison, options, colors),
      "",
      `${colors.green(this.#out)}  ${formatCount(total)} parameters, ${formatBytes(size)}`,
    ]);
  }
}

/** Throws an EspalierError for an option of training where nothing is trained. */
function refuseIdle(options: TrainOptions, epochs: number | undefined): void {
  if (epochs !== 0) return;
  const { seed: _weights, ...training } = fitSettings(options, undefined);
  const [idle] = Object.keys(training);
  if (idle === undefined) return;
  const option = idle.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  throw new EspalierError(`--${option} has nothing to train with --epochs 0. Drop one of them.`);
}

/** A history entry written by a fit. */
interface FitEntry {
  readonly settings: unknown;
  readonly data?: { readonly checksum: string };
  readonly epochs: number;
  readonly best: number;
}

function isFit(entry: unknown): boolean {
  return (entry as { readonly did?: string }).did === "fit";
}

/** Whether two values have the same JSON, whatever the order of their keys. */
function sameJson(a: unknown, b: unknown): boolean {
  const read = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
  return isDeepStrictEqual(read(a), read(b));
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
