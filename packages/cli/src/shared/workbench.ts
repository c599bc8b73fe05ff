import { type DenseMeter, latencyMeter } from "@espalier/bench";
import { type Backend, type Model, planFromJson } from "@espalier/core";
import type { ForecastingData } from "@espalier/datasets";
import { readBytes, readTensors } from "@espalier/formats/node";
import {
  type DrawnModel,
  drawingOf,
  drawModel,
  drawnFor,
  type LatencySettings,
  type Recipe,
  type Registry,
  type Workbench,
} from "@espalier/recipe";
import { timingRemark } from "@espalier/report/text";
import { forecastingDataFor, withData } from "@espalier/training";
import type { Context } from "../context.ts";
import type { TrainingDataOptions } from "../options/groups.ts";
import type { Bar } from "../output/progress.ts";
import { openBackend } from "./backend.ts";
import { loadSource, loadSourceFor, sourceFor } from "./data.ts";

/** Options of a command's workbench. */
export interface CommandWorkbenchOptions {
  readonly registry: Registry;
  /** The data; by default what the model was trained on. */
  readonly data?: Recipe["data"] | TrainingDataOptions;
  readonly threads?: number | undefined;
  readonly context: Context;
  readonly bar: Bar;
}

/** The workbench of the command line. Data, backends and plans are opened once, and only if needed. */
export class CommandWorkbench implements Workbench {
  readonly registry: Registry;
  readonly #options: CommandWorkbenchOptions;
  /** The data options in the command line's terms. */
  readonly #which: TrainingDataOptions;
  #data: Promise<ForecastingData> | undefined;
  #backend: Promise<Backend> | undefined;

  constructor(options: CommandWorkbenchOptions) {
    this.registry = options.registry;
    this.#options = options;
    this.#which = (options.data ?? {}) as TrainingDataOptions;
  }

  data(model: Model): Promise<ForecastingData> {
    const { context, bar } = this.#options;
    const { scale, splits } = this.#which;
    this.#data ??= loadSourceFor(model, this.#which, context, bar).then((source) =>
      forecastingDataFor(model, source, { scale, splits }),
    );
    return this.#data;
  }

  /** Which data that is, and how it is read, split and scaled: for other machines. */
  source(model: Model) {
    const { scale, splits } = this.#which;
    return { ...sourceFor(model, this.#which, this.#options.context), scale, splits };
  }

  backend(name = "wasm"): Promise<Backend> {
    this.#backend ??= openBackend(this.registry, { backend: name, threads: this.#options.threads });
    return this.#backend;
  }

  /** Says once if other programs disturbed the timing. */
  async latency(dense: Model, { backend = "wasm", batch, time }: LatencySettings): Promise<DenseMeter> {
    const { context, bar } = this.#options;
    const meter = await latencyMeter(dense, {
      backend: this.registry.backend(backend),
      signal: context.signal,
      ...(batch !== undefined && { batch }),
      ...(time !== undefined && { time }),
    });
    let said = false;
    return {
      ...meter,
      async measure(pruned) {
        const timed = await meter.measure(pruned);
        const remark = said ? undefined : timingRemark(timed.waited ?? 0);
        if (remark !== undefined) bar.line(remark);
        said ||= remark !== undefined;
        return timed;
      },
    };
  }

  async plan(path: string) {
    const text = new TextDecoder().decode(await readBytes(this.#options.context.path(path), "plan"));
    return planFromJson(text, `plan ${path}`);
  }

  /** Draws a model for the data, with weights from a checkpoint or new ones. */
  async draw(drawn: DrawnModel, seed = 0): Promise<Model> {
    const { context, bar } = this.#options;
    const { dataset = "synthetic", scale, splits } = this.#which;
    const source = await loadSource(dataset, this.#which, context, bar);
    const architecture = drawModel(this.registry, drawingOf(drawn), drawnFor(source.table));
    const fresh =
      drawn.weights === undefined
        ? architecture.initialize(seed)
        : architecture.load(await readTensors(context.path(drawn.weights)));
    const loaded = forecastingDataFor(fresh, source, { scale, splits });
    this.#data = Promise.resolve(loaded);
    return withData(fresh, loaded);
  }
}
