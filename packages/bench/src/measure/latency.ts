import { setImmediate } from "node:timers/promises";
import type { Backend, Model, Program, State, TensorData } from "@espalier/core";
import { randomStream, resolveShape } from "@espalier/core";
import { Bench } from "tinybench";
import type { Timing } from "../results/records.ts";
import { quantile } from "./quantile.ts";

export interface LatencyOptions {
  /** Milliseconds of timing for each program, over all rounds. */
  readonly time: number;
  /** Least number of samples of each. */
  readonly samples: number;
  readonly signal?: AbortSignal;
}

export interface LatencyResult {
  readonly dense: Timing;
  readonly pruned: Timing;
  readonly speedup: number;
  readonly speedupSpread: number;
}

/** Rounds in which dense and pruned take turns, so that a slow moment of the machine meets both. */
const rounds = 7;

interface Prepared {
  readonly state: State;
  readonly program: Program;
  readonly inputs: ReadonlyMap<string, TensorData>;
}

/** Times a call of the dense and of the pruned model, alternating in this process; copies of inputs and outputs included. */
export async function measureLatency(
  models: { readonly dense: Model; readonly pruned: Model },
  backend: Backend,
  batch: number,
  options: LatencyOptions,
): Promise<LatencyResult> {
  const dense = await prepare(models.dense, backend, batch);
  const pruned = await prepare(models.pruned, backend, batch);
  try {
    const times: { dense: number[]; pruned: number[] } = { dense: [], pruned: [] };
    const ratios: number[] = [];
    for (let round = 0; round < rounds; round++) {
      // Runs are promises alone: without this a Ctrl-C is not heard before the last round.
      await setImmediate();
      options.signal?.throwIfAborted();
      const order = round % 2 === 0 ? (["dense", "pruned"] as const) : (["pruned", "dense"] as const);
      const bench = new Bench({
        time: options.time / rounds,
        iterations: Math.ceil(options.samples / rounds),
        warmup: round === 0,
        warmupTime: Math.min(100, options.time / 4),
        warmupIterations: 3,
        retainSamples: true,
        throws: true,
      });
      for (const name of order) {
        const { program, inputs } = name === "dense" ? dense : pruned;
        bench.add(name, async () => void (await program.run(inputs)));
      }
      await bench.run();
      const samples = (name: string): number[] => {
        const result = bench.getTask(name)!.result;
        return "latency" in result && result.latency.samples !== undefined ? [...result.latency.samples] : [];
      };
      const [a, b] = [samples("dense"), samples("pruned")];
      times.dense.push(...a);
      times.pruned.push(...b);
      ratios.push(quantile(a, 0.5) / quantile(b, 0.5));
    }
    return {
      dense: timing(times.dense),
      pruned: timing(times.pruned),
      speedup: quantile(ratios, 0.5),
      speedupSpread: (quantile(ratios, 0.75) - quantile(ratios, 0.25)) / 2,
    };
  } finally {
    for (const { program, state } of [dense, pruned]) {
      program.dispose();
      state.dispose();
    }
  }
}

async function prepare(model: Model, backend: Backend, batch: number): Promise<Prepared> {
  const state = await backend.createState(model.tensors);
  const program = await backend.compile(model.graph, { state, batch: [batch] });
  const inputs = new Map(
    model.graph.inputs.map(({ name, value }): [string, TensorData] => {
      const shape = resolveShape(model.graph.values[value]!.shape, batch);
      const random = randomStream(1, name);
      const size = shape.reduce((n, extent) => n * extent, 1);
      return [
        name,
        { dtype: "float32", shape, data: Float32Array.from({ length: size }, () => 2 * random() - 1) },
      ];
    }),
  );
  return { state, program, inputs };
}

function timing(samples: readonly number[]): Timing {
  return {
    median: quantile(samples, 0.5),
    spread: (quantile(samples, 0.75) - quantile(samples, 0.25)) / 2,
    samples: samples.length,
  };
}
