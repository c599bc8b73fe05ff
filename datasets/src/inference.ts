/** Windows, scaling and dates, without files; calendar features are in the entry `time-features`, to be loaded on demand. */
export { withFutureRows } from "./continue.ts";
export { frequencyOf } from "./frequency.ts";
export { inputsFrom } from "./inputs.ts";
export { dataOf, type ModelData, stepFor, type WindowShape, windowShapeOf } from "./model-data.ts";
export { type Scaler, scaleTable, unscaleValues } from "./scaling.ts";
export { stepOf } from "./step.ts";
export type { Table } from "./table.ts";
export { parseTimestamp } from "./timestamps.ts";
export { cutWindows } from "./windows.ts";
