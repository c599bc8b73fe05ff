export type { Rival } from "./conclude.ts";
export { partsOf, readSearchFile, type SearchFile, searchJsonSchema, secondsOf } from "./file.ts";
export { type Chosen, type Findings, findingsOf, type Reference } from "./findings.ts";
export {
  type ErrorLimit,
  errorLimitOf,
  type Goal,
  isTimed,
  limitText,
  type Metric,
  readGoal,
} from "./goal.ts";
export type { HandedOut, TrialOutcome, TrialQueue } from "./queue.ts";
export type { Finished } from "./ranking.ts";
export { isFinished, longestOf } from "./ranking.ts";
export {
  type CandidateRecord,
  type HeaderRecord,
  type Measured,
  modelName,
  type Proposal,
  type SearchRecord,
  type Task,
  type TestRecord,
  type TrialRecord,
} from "./records.ts";
export { runTrial, type TrialRequest } from "./run-trial.ts";
export { type SearchEvent, type SearchRequest, type SearchResult, search } from "./search.ts";
export { readSettings, rungsOf, type Settings, type SettingsInput } from "./settings.ts";
export { galleryAt } from "./space/gallery.ts";
export type {
  Choice,
  NamedPoint,
  Parameter,
  Point,
  Range,
  SearchSpace,
  Value,
} from "./space/space.ts";
export { type StandardSpaceOptions, standardSpace } from "./space/standard.ts";
export { hypervolume, partialRankCorrelation, rankCorrelation } from "./statistics.ts";
export { memoryStore, parseRecords, type SearchStore } from "./store.ts";
export { randomPoint } from "./tpe.ts";
