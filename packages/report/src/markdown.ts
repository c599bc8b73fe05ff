import type { Answers } from "./answers.ts";
import { type Block, type Document, tableToggle } from "./document.ts";
import type { Figure } from "./figure.ts";
import { escapeHtml } from "./html.ts";
import type { Table } from "./table.ts";

/** The report as GitHub-flavoured Markdown; charts are PNGs in a folder next to it, each linked to its SVG. */
export function toMarkdown({ title, lead, blocks }: Document): string {
  const parts = [`# ${escapeMarkdown(title)}`, escapeMarkdown(lead), ...blocks.map(blockText)];
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`;
}

function blockText(block: Block): string {
  switch (block.kind) {
    case "heading":
      return `${"#".repeat(block.level)} ${escapeMarkdown(block.text)}`;
    case "paragraph":
      return escapeMarkdown(block.text);
    case "list":
      return block.items.map((item) => `- ${escapeMarkdown(item)}`).join("\n");
    case "table":
      return tableText(block.table);
    case "code": {
      const fence = "`".repeat(Math.max(3, longestRun(block.text) + 1));
      return `${fence}${block.language}\n${block.text}\n${fence}`;
    }
    case "figure":
      return figureText(block.figure);
    case "figures":
      return block.figures.map(figureText).join("\n\n");
    case "answers":
      return answersText(block.answers);
    case "details":
      return [
        `<details>\n<summary>${escapeHtml(block.summary)}</summary>`,
        ...block.blocks.map(blockText),
        "</details>",
      ].join("\n\n");
  }
}

function answersText({ title, lead, answers }: Answers): string {
  const table: Table = {
    caption: lead,
    columns: ["", "", "recipe", ""].map((label) => ({ label })),
    rows: answers.map(({ question, figure, who, facts }) => [question, figure, who, facts.join(", ")]),
  };
  return [
    `### ${escapeMarkdown(title)}`,
    answers.length === 0 ? escapeMarkdown(lead) : tableText(table),
  ].join("\n\n");
}

function figureText({ name, title, alt, caption, table }: Figure): string {
  return [
    `### ${escapeMarkdown(title)}`,
    `[![${escapeMarkdown(alt)}](charts/${name}.png)](charts/${name}.svg)`,
    ...(caption === "" ? [] : [escapeMarkdown(caption)]),
    ...(table === undefined
      ? []
      : [`<details>\n<summary>${tableToggle}</summary>`, tableText(table), "</details>"]),
  ].join("\n\n");
}

function tableText({ caption, columns, rows }: Table): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [
    `**${escapeMarkdown(caption)}**`,
    "",
    line(
      columns.map(({ label, group }) => escapeMarkdown(group === undefined ? label : `${label} ${group}`)),
    ),
    line(columns.map(({ numeric }) => (numeric ? "---:" : "---"))),
    ...rows.map((row) => line(row.map(escapeMarkdown))),
  ].join("\n");
}

function longestRun(text: string): number {
  return Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
}

/** Names come from users' files: no mark-up, no HTML, no line breaks. */
function escapeMarkdown(text: string): string {
  return text.replace(/\s*[\r\n]+\s*/g, " ").replace(/[\\`*_[\]<>|#~&]/g, (mark) => `\\${mark}`);
}
