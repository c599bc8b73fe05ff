import type { Backend, Model, Tensors } from "@espalier/core";
import { randomInputs } from "@espalier/core/testing";
import type { Timing } from "../results/records.ts";
import { alternate, ratioOf } from "./alternate.ts";

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
  const programs: LoadedProgram[] = [];
  try {
    programs.push(await loadProgram(models.dense, backend, batch));
    programs.push(await loadProgram(models.pruned, backend, batch));
    const inputs = [models.dense, models.pruned].map((model) => randomInputs(model, batch));
    const contenders = (["dense", "pruned"] as const).map((name, i) => ({
      name,
      run: () => programs[i]!.run(inputs[i]!),
    }));
    const [dense, pruned] = await alternate(contenders, options);
    const { median, spread } = ratioOf(dense!, pruned!);
    return { dense: dense!.timing, pruned: pruned!.timing, speedup: median, speedupSpread: spread };
  } finally {
    for (const program of programs) program.dispose();
  }
}

/** A graph made ready on a backend, with a state of its own. */
export interface LoadedProgram {
  run(inputs: Tensors): Promise<Tensors>;
  dispose(): void;
}

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
