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

/** A model beside another: what each costs, how well it forecasts, how long a run takes. */
export interface Comparison {
  readonly before: Side;
  readonly after: Side;
  /** Errors between pruning and fine-tuning, where there was any. */
  readonly untuned?: TestErrors | undefined;
  /** Where both were timed, in turns. */
  readonly time?: LatencyResult & { readonly backend: string; readonly batch: number };
}

/** What a model costs and how well it forecasts, before or after. */
export interface Side {
  readonly counts: Accounting;
  readonly sparsity: number;
  /** Of its file. */
  readonly fileBytes?: number;
  readonly test?: TestErrors | undefined;
}

/** What can be seen of a model, as data: drawn by `insightDocument`, printed by the command, or by a page of your own. */
export interface Insight {
  readonly name: string;
  readonly layers: readonly LayerCount[];
  readonly heads: readonly HeadDensity[];
  /** Of tensors that pruning changed. */
  readonly masks: readonly MaskPicture[];
  readonly importance?: ImportanceDistribution | undefined;
  readonly sensitivity?: Sensitivity | undefined;
  readonly comparison?: Comparison | undefined;
}
