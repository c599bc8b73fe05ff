import { type Backend, float32, randomInputs, type Tensors } from "@espalier/core";
import { Builder, batch, type Graph, matMul } from "@espalier/core/graph";
import { iTransformer } from "@espalier/models";
import { drawTrainingStep } from "@espalier/training";
import type { Timing } from "../results/records.ts";
import { type AlternateOptions, alternate } from "./alternate.ts";
import { type LoadedProgram, loadProgram } from "./latency.ts";

/** A backend's time for each task, or the reason why there is none. */
export type BackendTimes =
  | { readonly name: string; readonly product: Timing; readonly gflops: number; readonly step: Timing }
  | { readonly name: string; readonly error: string };

/** A task that every backend runs. */
interface Task {
  readonly graph: Graph;
  readonly tensors: Tensors;
  readonly inputs: Tensors;
  readonly batch: number;
}

const side = 256;
const transformer = {
  inputLength: 16,
  horizon: 24,
  series: 12,
  width: 64,
  feedForward: 128,
  heads: 4,
  layers: 1,
};
const windows = 8;

/** The tasks in words. */
export const backendTasks = {
  product: `${side} × ${side} × ${side}, one operand resident`,
  step: `a training step (forward, backward, Adam) of an iTransformer of one layer of width ${transformer.width}, ${windows} windows of ${transformer.series} series`,
} as const;

/** A short measurement, for an impression of a backend, not for publication. */
const shortly: AlternateOptions = { time: 300, samples: 5, rounds: 5 };
/** Duration of a run in milliseconds above which it is timed only once, outside the rounds. */
const long = 500;

/**
 * Times a matrix product and a training step on each backend, in turn; includes copies of inputs and outputs. The
 * failure of one backend does not affect the others. Times of software adapters say nothing about a GPU: the caller
 * labels them.
 */
export async function measureBackends(
  backends: readonly Backend[],
  options: Partial<AlternateOptions> = {},
): Promise<BackendTimes[]> {
  const errors = new Map<Backend, string>();
  const products = await measureTask(backends, drawProduct(), errors, options);
  const steps = await measureTask(backends, drawStep(), errors, options);
  return backends.map((backend): BackendTimes => {
    const { name } = backend;
    const [product, step] = [products.get(backend), steps.get(backend)];
    if (product === undefined || step === undefined)
      return { name, error: errors.get(backend) ?? "it was not timed" };
    return { name, product, gflops: (2 * side ** 3) / (1e6 * product.median), step };
  });
}

async function measureTask(
  backends: readonly Backend[],
  { graph, tensors, inputs, batch: batchSize }: Task,
  errors: Map<Backend, string>,
  options: Partial<AlternateOptions>,
): Promise<Map<Backend, Timing>> {
  const loaded: { backend: Backend; program: LoadedProgram; first: number }[] = [];
  const guarded = async (backend: Backend, run: () => Promise<unknown>): Promise<void> => {
    if (errors.has(backend)) return;
    try {
      await run();
    } catch (error) {
      errors.set(backend, (error as Error).message);
    }
  };
  try {
    for (const backend of backends) {
      await guarded(backend, async () => {
        const program = await loadProgram({ graph, tensors }, backend, batchSize);
        const entry = { backend, program, first: 0 };
        loaded.push(entry);
        await program.run(inputs);
        const start = performance.now();
        await program.run(inputs);
        entry.first = performance.now() - start;
      });
      options.signal?.throwIfAborted();
    }
    const sound = loaded.filter(({ backend }) => !errors.has(backend));
    const quick = sound.filter(({ first }) => first < long);
    const measured = await alternate(
      quick.map(({ backend, program }) => ({
        name: backend.name,
        run: () => guarded(backend, () => program.run(inputs)),
      })),
      { ...shortly, ...options },
    );
    const timings = new Map(sound.map(({ backend, first }) => [backend, once(first)]));
    quick.forEach(({ backend }, i) => {
      if (errors.has(backend)) timings.delete(backend);
      else timings.set(backend, measured[i]!.timing);
    });
    return timings;
  } finally {
    for (const { program } of loaded) program.dispose();
  }
}

function once(milliseconds: number): Timing {
  return { median: milliseconds, spread: 0, samples: 1 };
}

function drawProduct(): Task {
  const b = Builder.create();
  const weight = b.tensor("weight", "buffer", { dtype: "float32", shape: [side, side] });
  b.output("y", matMul(b, b.input("x", [batch, side]), weight));
  const { graph } = b.build();
  const numbers = Float32Array.from({ length: side * side }, (_, i) => Math.sin(i));
  return {
    graph,
    tensors: new Map([["weight", float32([side, side], numbers)]]),
    inputs: new Map([["x", float32([side, side], numbers)]]),
    batch: side,
  };
}

function drawStep(): Task {
  const model = iTransformer(transformer).initialize(1);
  const { graph, tensors } = drawTrainingStep(model, { seed: 1 });
  const inputs = new Map(randomInputs({ ...model, graph }, windows));
  inputs.set("learningRate", float32([], [1e-4]));
  return { graph, tensors: new Map([...model.tensors, ...tensors]), inputs, batch: windows };
}
