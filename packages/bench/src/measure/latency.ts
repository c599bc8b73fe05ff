import { type Backend, type Model, randomInputs, type Tensors } from "@espalier/core";
import type { Timing } from "../results/records.ts";
import { alternate, type Contender, type Measurement, ratioOf } from "./alternate.ts";
import { countWaiting } from "./waited.ts";

/** Duration of a measurement, and a signal to stop it. */
export interface LatencyOptions {
  /** Milliseconds of timing for each program, over all rounds. */
  readonly time: number;
  /** Minimum number of samples per program. */
  readonly samples: number;
  readonly signal?: AbortSignal;
}

/** Times of two programs measured in turn, in milliseconds per call, and their ratio. */
export interface LatencyResult {
  readonly dense: Timing;
  readonly pruned: Timing;
  readonly speedup: number;
  readonly speedupSpread: number;
  /** As in `TimeShare`. */
  readonly waited?: number;
}

/** Times calls of the dense and of the pruned model in turn in this process; includes copies of inputs and outputs. */
export async function measureLatency(
  models: { readonly dense: Model; readonly pruned: Model },
  backend: Backend,
  batch: number,
  options: LatencyOptions,
): Promise<LatencyResult> {
  const loaded = await loadContender("dense", models.dense, backend, batch);
  try {
    const { dense, pruned, ...rest } = await timeAgainst(loaded, models.pruned, backend, batch, options);
    const { median, spread } = ratioOf(dense, pruned);
    return { dense: dense.timing, pruned: pruned.timing, speedup: median, speedupSpread: spread, ...rest };
  } finally {
    loaded.dispose();
  }
}

/** A model's calls on random inputs, ready for timing. */
export interface LoadedContender extends Contender {
  dispose(): void;
}

export async function loadContender(
  name: string,
  model: Model,
  backend: Backend,
  batch: number,
): Promise<LoadedContender> {
  const program = await loadProgram(model, backend, batch);
  const inputs = randomInputs(model, batch);
  return { name, run: () => program.run(inputs), dispose: () => program.dispose() };
}

/** Times a loaded dense model and a pruned one in turn. */
export async function timeAgainst(
  dense: Contender,
  model: Model,
  backend: Backend,
  batch: number,
  options: LatencyOptions,
): Promise<{ readonly dense: Measurement; readonly pruned: Measurement; readonly waited?: number }> {
  const loaded = await loadContender("pruned", model, backend, batch);
  try {
    const waiting = countWaiting();
    const [first, second] = await alternate([dense, loaded], options);
    const waited = waiting();
    return { dense: first!, pruned: second!, ...(waited !== undefined && { waited }) };
  } finally {
    loaded.dispose();
  }
}

/** A compiled graph with its own state on a backend. */
export interface LoadedProgram {
  /** Computes all outputs for some inputs. */
  run(inputs: Tensors): Promise<Tensors>;
  /** Frees the program and its state. */
  dispose(): void;
}

/** Compiles a model on a backend for one batch size. If the backend throws, everything is freed again. */
export async function loadProgram(
  { graph, tensors }: Pick<Model, "graph" | "tensors">,
  backend: Backend,
  batch: number,
): Promise<LoadedProgram> {
  const state = await backend.createState(tensors);
  try {
    const program = await backend.compile(graph, { state, batch: [batch] });
    return {
      run: (inputs) => program.run(inputs),
      dispose() {
        program.dispose();
        state.dispose();
      },
    };
  } catch (error) {
    state.dispose();
    throw error;
  }
}
