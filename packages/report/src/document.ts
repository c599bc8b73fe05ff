import { isFailure, isLatency, isPrune, isTrain, type ResultRecord } from "@espalier/bench";
import { stringify as toYaml } from "yaml";
import { type Figure, figuresOf } from "./figures.ts";
import { configurationsOf, dataOf, machinesOf } from "./repeat.ts";
import { latestResults, rowsOf, type Section } from "./rows.ts";
import { denseText, remarksOf } from "./summary.ts";
import { everythingTable, missedTable, type Table, verdictTable } from "./tables.ts";

/** A piece of a report, before it is HTML or Markdown. All text is plain, to be escaped. */
export type Block =
  | { readonly kind: "heading"; readonly level: 2 | 3; readonly text: string }
  | { readonly kind: "paragraph"; readonly text: string }
  | { readonly kind: "list"; readonly items: readonly string[] }
  | { readonly kind: "table"; readonly table: Table }
  | { readonly kind: "figure"; readonly figure: Figure }
  | { readonly kind: "code"; readonly language: string; readonly text: string };

/** A report before it is HTML or Markdown. */
export interface Document {
  readonly title: string;
  readonly lead: string;
  readonly blocks: readonly Block[];
}

/** What opens the table of a chart. */
export const tableToggle = "The numbers as a table";

export interface DocumentOptions {
  readonly title: string;
  readonly note?: string | undefined;
  /** The sparsity of the model-size chart. */
  readonly sparsity: number;
  /** Figures that need the models themselves, by the slug of their section. */
  readonly pictures?: ReadonlyMap<string, readonly Figure[]>;
}

/** Everything a report says, in order. */
export function documentOf(records: readonly ResultRecord[], options: DocumentOptions): Document {
  const rows = rowsOf(records);
  const latest = latestResults(records);
  const { sections, failures } = rows;
  return {
    title: options.title,
    lead: leadOf(latest),
    blocks: [
      ...(options.note === undefined ? [] : [paragraph(options.note)]),
      heading(2, "Summary"),
      ...(sections.length === 0 ? [paragraph("There are no results.")] : []),
      ...sections.flatMap(summaryBlocks),
      ...sections.flatMap((section) => [
        heading(2, `${section.title}, ${section.lengths}`),
        ...[
          ...figuresOf(section, rows, options.sparsity),
          ...(options.pictures?.get(section.slug) ?? []),
        ].map((figure): Block => ({ kind: "figure", figure })),
        ...missedBlocks(section),
      ]),
      ...(sections.some(({ runs }) => runs.length > 0) ? [heading(2, "Before and after")] : []),
      ...sections
        .filter(({ runs }) => runs.length > 0)
        .flatMap((section) => [
          heading(3, section.title),
          table(everythingTable(section, rows.tunings.length > 1)),
        ]),
      ...(failures.length === 0
        ? []
        : [
            heading(2, "Failed"),
            paragraph("These cells gave an error. The next run of the sweep tries them again."),
            { kind: "list", items: failures.map(({ what, error }) => `${what}: ${error}`) } as const,
          ]),
      ...repeatBlocks(latest),
    ],
  };
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

function summaryBlocks(section: Section): Block[] {
  const remarks = remarksOf(section);
  return [
    heading(3, section.title),
    paragraph(`Dense: ${denseText(section)}.`),
    ...(section.runs.some(({ applicable }) => applicable) ? [table(verdictTable(section))] : []),
    ...(remarks.length === 0 ? [] : [{ kind: "list", items: remarks } as const]),
  ];
}

function missedBlocks(section: Section): Block[] {
  const missed = missedTable(section);
  return missed === undefined ? [] : [table(missed)];
}

function repeatBlocks(records: readonly ResultRecord[]): Block[] {
  if (records.length === 0) return [];
  const configurations = configurationsOf(records);
  return [
    heading(2, "How to repeat this"),
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
}
