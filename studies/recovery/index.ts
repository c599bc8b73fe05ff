export { type Case, cases, choices, type ModelName, recipe, type Tuning } from "./cases.ts";
export { type RecoveryVerdict, recoveryDocument, verdictOf } from "./document.ts";
export { parseRecovery, type RecoveryResults, type RecoveryRun } from "./results.ts";
export { measureDense, readCheckpoints, runCase, settingsText, type Workbench } from "./run.ts";
