import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type IncomingTable,
  type Outcome,
  parseIncoming,
  type Row,
} from "../../../studies/incoming/table.ts";

/** The page of a workspace's measured table. */
export async function incomingPage(workspace: string): Promise<string> {
  const text = await readFile(join(workspace, "results/incoming.json"), "utf8");
  return incomingMarkdown(parseIncoming(text));
}

const [yes, no] = ["●", "–"];
type Read = Extract<Outcome, { in: true }>;
type Exported = Extract<Row, { exported: true }>;

/** A page that says which models come in from which exporter, what can be done with them, and the reason where not. */
export function incomingMarkdown({ torch, rows }: IncomingTable): string {
  const exported = rows.filter((row) => row.exported);
  const read = exported.filter(({ outcome }) => outcome.in);
  const worst = Math.max(...exported.flatMap(({ outcome }) => (outcome.in ? [outcome.error] : [])));
  const models = new Set(exported.map(({ model }) => model));
  const head = ["model", "exporter", "in", "open batch", "heads", "channels", "pruned", "and out"];
  const align = ["---", "---", ":-:", ":-:", "--:", "--:", ":-:", ":-:"];
  const lines = [...Map.groupBy(exported, ({ model }) => model).values()].flatMap(linesOf);
  return `---
aside: false
pageClass: wide
---

# What comes in

${read.length} of the ${exported.length} files that PyTorch ${torch} exports from the ${models.size} models of
[Time-Series-Library](https://github.com/thuml/Time-Series-Library) it can export are imported as they are. Outputs differ from
PyTorch's by at most ${worst.toExponential(0)} (relative). Weights of ten of the library's models, and Hugging Face's PatchTST, can be
imported [without an export](../guides/pytorch-model.md).

- **in**: imported, with PyTorch's outputs. **open batch**: any number of windows at once.
- **heads**, **channels**: how many can be removed, channels of any kind. None: single weights can still be masked.
- **pruned**: with half of the heads, of the channels or of the weights gone, the model is what masking leaves.
- **and out**: exported as ONNX again, with the same outputs in ONNX Runtime.

${[head, align, ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n")}

${reasons("Why not", exported.flatMap(whyNot))}
${reasons(
  "Not exported: a model that cannot be built here, or that an exporter refuses",
  rows.flatMap((row) => (row.exported ? [] : [{ ...row, why: row.why }])),
)}
## How it was measured

\`studies/incoming/export.py\` exports the models at small sizes with random weights, and says at its top how the table is made from
the files. Sizes decide the counts of heads and channels.
`;
}

/** A line for each exporter; one for both if they came to the same. */
function linesOf(rows: readonly Exported[]): string[][] {
  return [...Map.groupBy(rows, ({ outcome }) => cellsOf(outcome).join()).values()].map((same) => [
    same[0]!.model.replaceAll("_", " "),
    same.length > 1 ? "both" : same[0]!.exporter,
    ...cellsOf(same[0]!.outcome),
  ]);
}

function cellsOf(outcome: Outcome): string[] {
  if (!outcome.in) return [no, "", "", "", "", ""];
  const { openBatch, heads, channels, pruned, roundTrip } = outcome;
  const mark = (done: boolean) => (done ? yes : no);
  return [
    yes,
    mark(openBatch === true),
    heads === 0 ? no : `${heads}`,
    channels === 0 ? no : `${channels}`,
    mark(pruned === true),
    mark(typeof roundTrip === "number"),
  ];
}

interface Reason {
  readonly model: string;
  readonly exporter: string;
  readonly why: string;
}

function whyNot({ model, exporter, outcome }: Exported): Reason[] {
  const of = { model, exporter };
  if (!outcome.in) return [{ ...of, why: outcome.why }];
  const { openBatch, pruned, roundTrip }: Read = outcome;
  return [openBatch, pruned, roundTrip].flatMap((found) =>
    typeof found === "string" ? [{ ...of, why: found }] : [],
  );
}

/** Reasons once each, with all that they hold for. */
function reasons(title: string, list: readonly Reason[]): string {
  if (list.length === 0) return "";
  const grouped = [...Map.groupBy(list, ({ why }) => why.replace(/"[^"]*"/, "…"))];
  const lines = grouped.map(([, same]) => {
    const models = [...Map.groupBy(same, ({ model }) => model)].map(([model, [first, second]]) =>
      [model.replaceAll("_", " "), ...(second === undefined ? [first!.exporter] : [])].join(", "),
    );
    return `- **${models.join("; ")}**: ${escaped(same[0]!.why)}`;
  });
  return `## ${title}\n\n${lines.join("\n")}\n`;
}

/** Names in messages may look like HTML, or like what Vue fills in. */
function escaped(text: string): string {
  return text.replaceAll("<", "&lt;").replaceAll("{", "&#123;").replaceAll("`", "'");
}
