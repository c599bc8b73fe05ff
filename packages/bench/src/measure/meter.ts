import type { Backend, LatencyMeter, Model } from "@espalier/core";
import { ratioOf } from "./alternate.ts";
import { expectTimes } from "./expect-times.ts";
import { type LatencyOptions, type LoadedContender, loadContender, timeAgainst } from "./latency.ts";

/** Times pruned models against one dense model, which stays compiled from the first measurement on. */
export interface DenseMeter extends LatencyMeter {
  /** Frees the dense model. */
  dispose(): void;
}

/** Options of a meter. */
export interface MeterOptions extends Omit<Partial<LatencyOptions>, "time"> {
  readonly backend: Backend;
  /** Milliseconds of timing per model. */
  readonly time?: number | undefined;
  /** Windows per call; 1 by default. */
  readonly batch?: number | undefined;
}

/**
 * Creates a meter for latency targets: times the dense and the pruned model in turn, each for at least 500 ms and 30
 * samples. Throws an EspalierError if the backend is not available, or software stands in for its GPU.
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
      const { waited } = timed;
      return { share, spread, ...(waited !== undefined && { waited }) };
    },
    dispose: () => void loaded?.then((contender) => contender.dispose()),
  };
}
