export { type FleetCell, type FleetSweepOptions, runFleetSweep } from "./coordinator.ts";
export type { Needs, Setting } from "./lanes.ts";
export { SearchQueue, type SearchQueueOptions } from "./search-queue.ts";
export {
  type Collected,
  cancelSweep,
  collectGarbage,
  type FailedCell,
  type QueuedSweep,
  type QueueStatus,
  queueStatus,
  type RunningWorker,
} from "./status.ts";
export type { QueuedCell, QueuedRecord, TrialCell, TrialData, TrialRecord } from "./trial.ts";
export { type WorkerEvent, type WorkerOptions, work } from "./worker.ts";
