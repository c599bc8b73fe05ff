import type { Backend, LatencyMeter, Model, PruningPlan } from "@espalier/core";
import type { DescribedData, ForecastingData } from "@espalier/datasets";
import type { LatencySettings } from "../format/parts.ts";
import type { Registry } from "../registry/registry.ts";

/** The windows for training, calibration and validation. */
export type RunData = DescribedData & Pick<ForecastingData, "train" | "validation">;

/** A meter that holds a compiled model, and can release it. */
export type RunMeter = LatencyMeter & {
  /** Frees the model. */
  dispose?(): void;
};

/** The environment of a run: a command line, a sweep, a page and a remote machine each have their own. */
export interface Workbench {
  readonly registry: Pick<Registry, "strategies" | "strategy" | "backend">;
  /** Windows for a model. Called at most once per run, and only if a step needs data. */
  data(model: Model): Promise<RunData>;
  /** The backend of a recipe, ready to run. Called at most once per run, and only if a step needs it. */
  backend(name: string | undefined): Promise<Backend>;
  /** Measures against the dense model, for latency targets. */
  latency?(dense: Model, settings: LatencySettings): Promise<RunMeter>;
  /** Reads the plan of an `apply` step that names a file. */
  plan?(path: string): Promise<PruningPlan>;
}
