import {
  type Backend,
  type Collect,
  EspalierError,
  type Model,
  type PruningPlan,
  type Strategy,
  type StrategySpec,
} from "@espalier/core";
import { pluginOptions } from "@espalier/core/pruning";
import { collector, type OnProgress } from "@espalier/training";
import type { RunRequest } from "./request.ts";
import type { RunData, RunMeter } from "./workbench.ts";

/** Data, backend and meter for the steps of a run; each is opened when a step first needs it. */
export class Tools {
  readonly #request: RunRequest;
  #data: RunData | undefined;
  #backend: Backend | undefined;
  #meter: RunMeter | undefined;

  constructor(request: RunRequest) {
    this.#request = request;
  }

  async data(model: Model): Promise<RunData> {
    this.#data ??= await this.#request.workbench.data(model);
    return this.#data;
  }

  async backend(): Promise<Backend> {
    const { workbench, recipe } = this.#request;
    this.#backend ??= await workbench.backend(recipe.backend);
    return this.#backend;
  }

  async meter(dense: Model): Promise<RunMeter> {
    const { workbench, recipe } = this.#request;
    if (workbench.latency === undefined) throw new EspalierError("latency cannot be measured here.");
    this.#meter ??= await workbench.latency(dense, recipe.latency ?? {});
    return this.#meter;
  }

  async plan(path: string): Promise<PruningPlan> {
    const { workbench } = this.#request;
    if (workbench.plan === undefined) throw new EspalierError(`plan ${path} cannot be read here.`);
    return workbench.plan(path);
  }

  /** A strategy with the run's seed, if it takes one and has none. */
  strategy(spec: StrategySpec, seed: number): Strategy {
    const { registry } = this.#request.workbench;
    const seeded = ({ stages, ...rest }: StrategySpec): StrategySpec => {
      const plugin = registry.strategies.get(rest.use);
      const takes = plugin && pluginOptions(plugin);
      return {
        ...(takes !== undefined && "seed" in takes && { seed }),
        ...rest,
        ...(Array.isArray(stages) && { stages: (stages as StrategySpec[]).map(seeded) }),
      };
    };
    return registry.strategy(seeded(spec));
  }

  /** Calibrates on the training windows. */
  collect(model: Model, seed: number, onProgress: OnProgress): Collect {
    const { signal } = this.#request;
    return async (collection) => {
      const [{ train: windows }, backend] = [await this.data(model), await this.backend()];
      return collector({ backend, windows, seed, onProgress, ...(signal && { signal }) })(collection);
    };
  }

  /** Names of everything opened so far, for the record. */
  get used(): { backend: string | undefined; data: { name: string; checksum: string } | undefined } {
    const { name, checksum } = this.#data ?? {};
    const data = name === undefined || checksum === undefined ? undefined : { name, checksum };
    return { backend: this.#backend?.name, data };
  }

  dispose(): void {
    this.#meter?.dispose?.();
  }
}
