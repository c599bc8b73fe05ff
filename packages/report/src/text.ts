/** Formatting of numbers and tables for terminals and pages, without any drawing code. */
export { comparisonTable } from "./insight/comparison.ts";
export type { Comparison, Insight, Side } from "./insight/insight.ts";
export * from "./numbers.ts";
export { goalText, searchTable } from "./search/table.ts";
export { stepTexts } from "./steps.ts";
export type { Column, Table } from "./table.ts";
export { cutMiddle, wrap, wrapText } from "./wrap.ts";
