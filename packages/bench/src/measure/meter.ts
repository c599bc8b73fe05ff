import type { Backend, LatencyMeter, Model } from "@espalier/core";
import { ratioOf } from "./alternate.ts";
import { expectTimes } from "./expect-times.ts";
import { type LatencyOptions, type LoadedContender, loadContender, timeAgainst } from "./latency.ts";

/** What times pruned models against one dense model, which stays loaded from the first measurement on. */
export interface DenseMeter extends LatencyMeter {
  /** Frees the dense model. */
  dispose(): void;
}

/** What is measured on, and for how long. */
export interface MeterOptions extends Omit<Partial<LatencyOptions>, "time"> {
  readonly backend: Backend;
  /** Milliseconds that each model is timed for. */
  readonly time?: number | undefined;
  /** Windows a call; 1 by default. */
  readonly batch?: number | undefined;
}

/**
 * Measures for latency targets: dense and pruned model take turns on a backend, each for 500 ms and 30 samples at least.
 * Throws an EspalierError where the backend is not here, or is a program that stands in for a GPU.
 */
export async function latencyMeter(dense: Model, options: MeterOptions): Promise<DenseMeter> {
  const { backend, batch = 1, time = 500, samples = 30, signal } = options;
  await expectTimes(backend);
  let loaded: Promise<LoadedContender> | undefined;
  return {
    on: `${backend.name}, batch ${batch}`,
    async measure(model) {
      loaded ??= loadContender("dense", dense, backend, batch);
      const settings = { time, samples, ...(signal === undefined ? {} : { signal }) };
      const timed = await timeAgainst(await loaded, model, backend, batch, settings);
      const { median: share, spread } = ratioOf(timed.pruned, timed.dense);
      return { share, spread };
    },
    dispose: () => void loaded?.then((contender) => contender.dispose()),
  };
}
