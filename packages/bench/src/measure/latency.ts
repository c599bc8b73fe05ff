import { type Backend, type Model, randomInputs, type Tensors } from "@espalier/core";
import type { Timing } from "../results/records.ts";
import { alternate, type Contender, type Measurement, ratioOf } from "./alternate.ts";

/** How long to measure, and when to stop. */
export interface LatencyOptions {
  /** Milliseconds of timing for each program, over all rounds. */
  readonly time: number;
  /** Least number of samples of each. */
  readonly samples: number;
  readonly signal?: AbortSignal;
}

/** Times of two programs that took turns, in milliseconds a call, and their ratio. */
export interface LatencyResult {
  readonly dense: Timing;
  readonly pruned: Timing;
  readonly speedup: number;
  readonly speedupSpread: number;
}

/** Times a call of the dense and of the pruned model, alternating in this process; copies of inputs and outputs included. */
export async function measureLatency(
  models: { readonly dense: Model; readonly pruned: Model },
  backend: Backend,
  batch: number,
  options: LatencyOptions,
): Promise<LatencyResult> {
  const loaded = await loadContender("dense", models.dense, backend, batch);
  try {
    const { dense, pruned } = await timeAgainst(loaded, models.pruned, backend, batch, options);
    const { median, spread } = ratioOf(dense, pruned);
    return { dense: dense.timing, pruned: pruned.timing, speedup: median, speedupSpread: spread };
  } finally {
    loaded.dispose();
  }
}

/** A model's calls on random inputs, ready to be timed. */
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

/** Times a dense model that is loaded already, and a pruned one, taking turns. */
export async function timeAgainst(
  dense: Contender,
  model: Model,
  backend: Backend,
  batch: number,
  options: LatencyOptions,
): Promise<{ readonly dense: Measurement; readonly pruned: Measurement }> {
  const loaded = await loadContender("pruned", model, backend, batch);
  try {
    const [first, second] = await alternate([dense, loaded], options);
    return { dense: first!, pruned: second! };
  } finally {
    loaded.dispose();
  }
}

/** A graph made ready on a backend, with a state of its own. */
export interface LoadedProgram {
  /** All outputs for some inputs. */
  run(inputs: Tensors): Promise<Tensors>;
  /** Frees the program and its state. */
  dispose(): void;
}

/** Makes a model ready on a backend for one batch size. Throws what the backend throws; nothing stays loaded then. */
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
