export { statOf } from "./aggregate.ts";
export { legend } from "./charts/legend.ts";
export { type Level, type Point, panel } from "./charts/panel.ts";
export { chart, looksOf, type Spec } from "./charts/theme.ts";
export { type Block, type Document, paragraph } from "./document.ts";
export { drawFigures } from "./folder.ts";
export { toHtml } from "./html.ts";
export { type WriteInsightOptions, writeInsight } from "./insight/write.ts";
export { toMarkdown } from "./markdown.ts";
export { renderSvg } from "./render.ts";
export { configurationsOf, dataOf, machinesOf } from "./repeat.ts";
export { rowsOf } from "./rows.ts";
export { bestOf, searchDocument, searchFigures } from "./search/document.ts";
export type { Rows, RunRow, Section, Stat, TimingRow } from "./section.ts";
export { summaryLines } from "./summary.ts";
export * from "./text.ts";
export {
  type ReportOptions,
  type WriteOptions,
  type WrittenReport,
  writeDocument,
  writeReport,
} from "./write.ts";
