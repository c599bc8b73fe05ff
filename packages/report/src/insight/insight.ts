import type { TestErrors } from "@espalier/bench";
import type { LatencyResult } from "@espalier/bench/measure";
import type {
  Accounting,
  HeadDensity,
  ImportanceDistribution,
  LayerCount,
  MaskPicture,
  Sensitivity,
} from "@espalier/core";

/** Two models side by side: their costs, their errors, and the time per run. */
export interface Comparison {
  readonly before: Side;
  readonly after: Side;
  /** Errors after pruning and before fine-tuning, if there was any. */
  readonly untuned?: TestErrors | undefined;
  /** If both were timed, in turn. */
  readonly time?: LatencyResult & { readonly backend: string; readonly batch: number };
}

/** Costs and errors of a model, before or after. */
export interface Side {
  readonly counts: Accounting;
  readonly sparsity: number;
  /** Size of its file. */
  readonly fileBytes?: number;
  readonly test?: TestErrors | undefined;
}

/** The facts about a model as data: drawn by `insightDocument`, printed by the command, or used by your own page. */
export interface Insight {
  readonly name: string;
  readonly layers: readonly LayerCount[];
  readonly heads: readonly HeadDensity[];
  /** Tensors that pruning changed. */
  readonly masks: readonly MaskPicture[];
  readonly importance?: ImportanceDistribution | undefined;
  readonly sensitivity?: Sensitivity | undefined;
  readonly comparison?: Comparison | undefined;
}
