import { isFailure, isLatency, isPrune, isTrain, type ResultRecord } from "@espalier/bench";
import { stringify as toYaml } from "yaml";
import { type Answers, answersOf } from "./answers.ts";
import type { Figure } from "./figure.ts";
import { figuresOf, glanceOf } from "./figures.ts";
import { naiveTable, naiveText, seriesTable } from "./naive.ts";
import { configurationsOf, dataOf, machinesOf } from "./repeat.ts";
import { latestResults, rowsOf } from "./rows.ts";
import type { Rows, Section } from "./section.ts";
import { denseText, remarksOf } from "./summary.ts";
import type { Table } from "./table.ts";
import { everythingTable, missedTable, verdictTable } from "./tables.ts";

/** A piece of a report, before it is HTML or Markdown. All text is plain, to be escaped. */
export type Block =
  | { readonly kind: "heading"; readonly level: 2 | 3; readonly text: string }
  | { readonly kind: "paragraph"; readonly text: string }
  | { readonly kind: "list"; readonly items: readonly string[] }
  | { readonly kind: "table"; readonly table: Table }
  | { readonly kind: "figure"; readonly figure: Figure }
  /** Small figures, side by side if there is room. */
  | { readonly kind: "figures"; readonly figures: readonly Figure[] }
  | { readonly kind: "answers"; readonly answers: Answers }
  /** Folded until a reader asks for it. */
  | { readonly kind: "details"; readonly summary: string; readonly blocks: readonly Block[] }
  | { readonly kind: "code"; readonly language: string; readonly text: string };

/** A report before it is HTML or Markdown. */
export interface Document {
  readonly title: string;
  readonly lead: string;
  readonly blocks: readonly Block[];
}

/** The label that opens the table of a chart. */
export const tableToggle = "The numbers as a table";

export interface DocumentOptions {
  readonly title: string;
  readonly note?: string | undefined;
  /** The sparsity of the model-size chart. */
  readonly sparsity: number;
  /** Test MSE to compare pruned models with, by the name of the model; by default the dense model's. */
  readonly references?: Readonly<Record<string, number>> | undefined;
  /** Figures that need the models themselves, by the slug of their section. */
  readonly pictures?: ReadonlyMap<string, readonly Figure[]>;
}

/** The whole content of a report: first what most readers look for, then the rest, folded. */
export function documentOf(records: readonly ResultRecord[], options: DocumentOptions): Document {
  const rows = rowsOf(records, options.references);
  const latest = latestResults(records);
  const { sections, failures } = rows;
  const pruned = sections.filter(({ runs }) => runs.some(({ applicable }) => applicable));
  return {
    title: options.title,
    lead: leadOf(latest),
    blocks: [
      ...(options.note === undefined ? [] : [paragraph(options.note)]),
      heading(2, "In short"),
      ...(sections.length === 0 ? [paragraph("There are no results.")] : []),
      ...sections.map(
        (section): Block => ({
          kind: "answers",
          answers: {
            title: section.title,
            lead: `Dense: ${denseText(section)}.${sentence(naiveText(section))}`,
            answers: answersOf(section),
          },
        }),
      ),
      ...(pruned.length === 0
        ? []
        : [{ kind: "figures", figures: pruned.map((section) => glanceOf(section, rows)) } as const]),
      ...failureBlocks(failures),
      ...sections.flatMap((section) => sectionBlocks(section, rows, options)),
      ...(sections.some(({ runs }) => runs.length > 0)
        ? [details("Every model in a table", [table(everythingTable(rows))])]
        : []),
      ...repeatBlocks(latest),
    ],
  };
}

/** The results of a section in full. */
function sectionBlocks(section: Section, rows: Rows, options: DocumentOptions): Block[] {
  const remarks = remarksOf(section);
  const missed = missedTable(section);
  const beside = [naiveTable(section), seriesTable(section)].filter((one) => one !== undefined);
  const figures = [
    ...figuresOf(section, rows, options.sparsity),
    ...(options.pictures?.get(section.slug) ?? []),
  ];
  const blocks: Block[] = [
    ...(section.runs.some(({ applicable }) => applicable) ? [table(verdictTable(section))] : []),
    ...(remarks.length === 0 ? [] : [{ kind: "list", items: remarks } as const]),
    ...beside.map(table),
    ...figures.map((figure): Block => ({ kind: "figure", figure })),
    ...(missed === undefined ? [] : [table(missed)]),
  ];
  return blocks.length === 0 ? [] : [details(`${section.title}, ${section.lengths}`, blocks)];
}

function failureBlocks(failures: Rows["failures"]): Block[] {
  if (failures.length === 0) return [];
  return [
    heading(2, "Failed"),
    paragraph("These cells failed. The next run of the sweep tries them again."),
    { kind: "list", items: failures.map(({ what, error }) => `${what}: ${error}`) },
  ];
}

/** All figures of a document, including folded ones. */
export function figuresIn(blocks: readonly Block[]): Figure[] {
  return blocks.flatMap((block) => {
    if (block.kind === "figure") return [block.figure];
    if (block.kind === "figures") return block.figures;
    return block.kind === "details" ? figuresIn(block.blocks) : [];
  });
}

function details(summary: string, blocks: readonly Block[]): Block {
  return { kind: "details", summary, blocks };
}

function heading(level: 2 | 3, text: string): Block {
  return { kind: "heading", level, text };
}

/** A block of plain text. */
export function paragraph(text: string): Block {
  return { kind: "paragraph", text };
}

function table(content: Table): Block {
  return { kind: "table", table: content };
}

function sentence(text: string | undefined): string {
  return text === undefined ? "" : ` ${text[0]!.toUpperCase()}${text.slice(1)}.`;
}

function leadOf(records: readonly ResultRecord[]): string {
  const counts = [
    [records.filter(isTrain).length, "trained", "model"],
    [records.filter(isPrune).length, "pruned", "model"],
    [records.filter(isLatency).length, "timed", "pair"],
  ] as const;
  const parts = counts.flatMap(([n, verb, noun]) =>
    n === 0 ? [] : [`${n} ${noun}${n === 1 ? "" : "s"} ${verb}`],
  );
  const failed = records.filter(isFailure).length;
  if (failed > 0) parts.push(`${failed} failed`);
  const dates = records.map(({ environment }) => environment.date.slice(0, 10)).sort();
  const [first, last] = [dates[0], dates.at(-1)];
  const when = first === undefined ? "" : first === last ? ` ${first}.` : ` ${first} to ${last}.`;
  return `${parts.join(", ")}.${when}`;
}

function repeatBlocks(records: readonly ResultRecord[]): Block[] {
  if (records.length === 0) return [];
  const configurations = configurationsOf(records);
  const blocks: Block[] = [
    paragraph(
      configurations.length === 1
        ? "Save this as sweep.yaml and run: espalier sweep sweep.yaml"
        : "Save each of these as sweep.yaml and run: espalier sweep sweep.yaml",
    ),
    ...configurations.map(
      (configuration): Block => ({
        kind: "code",
        language: "yaml",
        text: toYaml(configuration, { lineWidth: 100 }).trimEnd(),
      }),
    ),
    {
      kind: "list",
      items: [
        ...dataOf(records).map(({ dataset, checksum }) => `Data ${dataset}: sha256 ${checksum}`),
        ...machinesOf(records).map(({ processor, cores, platform, node, versions }) => {
          const packages = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
          return [`${processor}, ${cores} cores, ${platform}, Node ${node}`, ...packages].join("; ");
        }),
      ],
    },
  ];
  return [details("How to repeat this", blocks)];
}
