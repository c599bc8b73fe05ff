import type { Model } from "../model/model.ts";

/** Time per call of one model as a share of another's, timed in turn. */
export interface TimeShare {
  readonly share: number;
  /** Half the interquartile range over the rounds. */
  readonly spread: number;
  /**
   * Share of the timing in which other programs had this thread's processor; absent if unknown. A call that is
   * interrupted counts whole, and a long one is more often than a short one: large models then seem too slow.
   */
  readonly waited?: number;
}

/** Times pruned models against the unpruned one. Injected by the caller, so that core needs no backend and no clock. */
export interface LatencyMeter {
  /** The measured backend and batch, for reports: `wasm, batch 1`. */
  readonly on: string;
  /** Times a pruned model. Cheap to call often: the unpruned model stays compiled. */
  measure(pruned: Model): Promise<TimeShare>;
}
