import { type Backend, EspalierError, type Model, type Program } from "@espalier/core";
import type { Graph } from "@espalier/core/graph";
import { inputsFrom, type Scaler, type WindowSet } from "@espalier/datasets";
import { batchesOf } from "./batches.ts";
import { ErrorSums, type Metrics } from "./metrics.ts";
import { createPause } from "./pause.ts";
import { type OnProgress, progressReporter } from "./progress.ts";

/** Input of an evaluation. */
export interface EvaluateOptions {
  readonly model: Model;
  readonly backend: Backend;
  /** Windows to forecast, all of them. */
  readonly windows: WindowSet;
  /** Windows per run; 64 by default. Only affects rounding. */
  readonly batchSize?: number;
  /** Needed for errors in original units. */
  readonly scaler?: Scaler;
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

/**
 * Forecasts every window and returns the errors.
 *
 * @throws EspalierError if forecasts are not numbers; the signal's reason if it aborts.
 */
export async function evaluate(options: EvaluateOptions): Promise<Metrics> {
  const { model, backend } = options;
  const state = await backend.createState(model.tensors);
  const program = await backend.compile(model.graph, { state });
  try {
    const metrics = await evaluateProgram(program, model.graph, options);
    if (Number.isFinite(metrics.mse)) return metrics;
    throw new EspalierError(
      `model ${model.name}: its forecasts are not numbers (MSE ${metrics.mse}). Are its weights or its data damaged?`,
    );
  } finally {
    program.dispose();
    state.dispose();
  }
}

/** Like `evaluate`, with a program that is already compiled: training and validation share one state. */
export async function evaluateProgram(
  program: Program,
  graph: Graph,
  options: Omit<EvaluateOptions, "model" | "backend">,
): Promise<Metrics> {
  const { windows, batchSize = 64, scaler, signal } = options;
  if (windows.count === 0) throw new EspalierError("there is no window to evaluate.");
  const inputs = inputsFrom(graph, windows);
  const output = graph.outputs[0]!.name;
  const sums = new ErrorSums(windows.horizon, windows.series);
  const report = progressReporter(windows.count, options.onProgress);
  const pause = createPause();
  for (const indices of batchesOf(windows.count, batchSize)) {
    await pause();
    signal?.throwIfAborted();
    const outputs = await program.run(inputs(indices));
    sums.add(outputs.get(output)!.data, windows.batch(indices).y);
    report(indices.at(-1)! + 1, "evaluate");
  }
  return sums.metrics(scaler);
}
