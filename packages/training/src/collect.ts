import { type Backend, type Collect, EspalierError, type TensorData } from "@espalier/core";
import { randomStream } from "@espalier/core/graph";
import { inputsFrom, type WindowSet } from "@espalier/datasets";
import { createPause } from "./pause.ts";
import { type OnProgress, progressReporter } from "./progress.ts";

/** The data for a criterion's graph. */
export interface CollectorOptions {
  readonly backend: Backend;
  /** Windows to calibrate on: those of the training split. */
  readonly windows: WindowSet;
  /** Number of batches, drawn at random, if the graph does not set it; 8 by default. */
  readonly batches?: number;
  /** Batch size; 32 by default. */
  readonly batchSize?: number;
  readonly seed?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

/** Creates the collector for criteria that use data: runs their graph over calibration batches and sums its outputs. */
export function collector(options: CollectorOptions): Collect {
  const { backend, windows, batchSize = 32, seed = 0, signal } = options;
  return async ({ graph, tensors, outputs, batches = options.batches ?? 8 }) => {
    if (windows.count === 0) throw new EspalierError("there is no window to calibrate on.");
    const state = await backend.createState(tensors);
    const program = await backend.compile(graph, { state });
    const inputs = inputsFrom(graph, windows);
    const random = randomStream(seed, "calibration");
    const pause = createPause();
    const report = progressReporter(batches, options.onProgress);
    const sums = new Map<string, { shape: readonly number[]; data: Float64Array }>();
    try {
      for (let i = 0; i < batches; i++) {
        await pause();
        signal?.throwIfAborted();
        const size = Math.min(batchSize, windows.count);
        const indices = Int32Array.from({ length: size }, () => Math.floor(random() * windows.count));
        for (const [name, { shape, data }] of await program.run(inputs(indices), { read: outputs })) {
          const sum = sums.get(name) ?? { shape, data: new Float64Array(data.length) };
          for (let k = 0; k < data.length; k++) sum.data[k]! += data[k]!;
          sums.set(name, sum);
        }
        report(i + 1, "calibrate");
      }
    } finally {
      program.dispose();
      state.dispose();
    }
    return new Map(
      [...sums].map(([name, { shape, data }]): [string, TensorData] => [
        name,
        { dtype: "float32", shape, data: Float32Array.from(data) },
      ]),
    );
  };
}
