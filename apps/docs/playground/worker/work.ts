import type { WorkProgress } from "../protocol.ts";

/** Progress callback and signal of every call. */
export interface Work {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: WorkProgress) => void;
}
