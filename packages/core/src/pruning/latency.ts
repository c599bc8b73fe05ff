import type { Model } from "../model/model.ts";

/** Time of a call of one model as a share of another's, both taking turns. */
export interface TimeShare {
  readonly share: number;
  /** Half the distance between the quartiles of the rounds. */
  readonly spread: number;
}

/** Times pruned models against the unpruned one. Injected by the caller, so that core knows no backend and no clock. */
export interface LatencyMeter {
  /** Where it measures, for reports: `wasm, batch 1`. */
  readonly on: string;
  /** Times a pruned model. May be called often: the unpruned one stays ready. */
  measure(pruned: Model): Promise<TimeShare>;
}
