/** Numbers and tables as reports write them, without anything that draws: for terminals and pages. */
export { comparisonTable } from "./insight/comparison.ts";
export type { Comparison, Insight, Side } from "./insight/insight.ts";
export * from "./numbers.ts";
export type { Column, Table } from "./tables.ts";
