import { type LoadedProgram, loadProgram } from "@espalier/bench/measure";
import type { Backend, Model } from "@espalier/core";
import { unscaleValues } from "@espalier/datasets";
import { inputsFrom } from "@espalier/training";
import type { Forecast } from "../protocol.ts";
import type { Frame } from "./series.ts";

/** Forecasts of models whose programs are kept until the model is dropped. */
export class Forecasts {
  readonly #backend: Backend;
  readonly #programs = new Map<Model, LoadedProgram>();

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  /** One window of the shown series, and what both models make of it. */
  async both(dense: Model, pruned: Model, frame: Frame, window: number): Promise<Forecast> {
    const { shown, table, scaler } = frame;
    const { inputLength, horizon, series } = shown;
    const start = shown.rowOf(window);
    const rows = (from: number, count: number) =>
      bySeries(table.values.subarray(from * series, (from + count) * series), series);
    const forecast = async (model: Model) =>
      bySeries(unscaleValues(await this.#run(model, frame, window), scaler), series);
    return {
      window,
      history: rows(start, inputLength),
      truth: rows(start + inputLength, horizon),
      dense: await forecast(dense),
      pruned: await forecast(pruned),
      ...(table.timestamps && { timestamps: table.timestamps.slice(start, start + inputLength + horizon) }),
    };
  }

  drop(model: Model | undefined): void {
    if (model === undefined) return;
    this.#programs.get(model)?.dispose();
    this.#programs.delete(model);
  }

  clear(): void {
    for (const model of this.#programs.keys()) this.drop(model);
  }

  async #run(model: Model, { shown }: Frame, window: number): Promise<Float64Array> {
    const program = this.#programs.get(model) ?? (await loadProgram(model, this.#backend, 1));
    this.#programs.set(model, program);
    const outputs = await program.run(inputsFrom(model.graph, shown)([window]));
    return Float64Array.from(outputs.get(model.graph.outputs[0]!.name)!.data);
  }
}

/** Rows × series as one array a series. */
function bySeries(values: Float64Array, series: number): Float64Array[] {
  return Array.from({ length: series }, (_, s) =>
    Float64Array.from({ length: values.length / series }, (_, row) => values[row * series + s]!),
  );
}
