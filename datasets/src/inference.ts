/** What a forecast needs of data; no files are read, and calendar features are an entry of their own. */
export { withFutureRows } from "./continue.ts";
export { frequencyOf } from "./frequency.ts";
export { inputsFrom } from "./inputs.ts";
export { dataOf, type ModelData, stepFor, type WindowShape, windowShapeOf } from "./model-data.ts";
export { type Scaler, scaleTable, unscaleValues } from "./scaling.ts";
export { stepOf } from "./step.ts";
export type { Table } from "./table.ts";
export { parseTimestamp } from "./timestamps.ts";
export { cutWindows } from "./windows.ts";
