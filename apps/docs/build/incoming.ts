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

const repositories: Readonly<Record<string, string>> = {
  "Time-Series-Library": "thuml/Time-Series-Library",
  "Hugging Face transformers": "huggingface/transformers",
  neuralforecast: "Nixtla/neuralforecast",
  "pytorch-forecasting": "sktime/pytorch-forecasting",
};

/** A page that says which models come in from which exporter, what can be done with them, and the reason where not. */
export function incomingMarkdown({ torch, rows }: IncomingTable): string {
  const exported = rows.filter((row) => row.exported);
  const worst = Math.max(...exported.flatMap(({ outcome }) => (outcome.in ? [outcome.error] : [])));
  const libraries = [...Map.groupBy(rows, ({ library }) => library)];
  return `---
aside: false
pageClass: wide
---

# What comes in

Files that PyTorch ${torch} exports from the models of ${libraries.length} libraries, imported as they are: ${countOf(exported)}. Outputs
differ from PyTorch's by at most ${worst.toExponential(0)} (relative). Weights of ten models of Time-Series-Library, and Hugging Face's
PatchTST, can be imported [without an export](../guides/pytorch-model.md).

- **in**: imported, with PyTorch's outputs. **open batch**: any number of windows at once.
- **heads**, **channels**: how many can be removed, channels of any kind. None: single weights can still be masked.
- **pruned**: with half of the heads, of the channels or of the weights gone, the model is what masking leaves.
- **and out**: exported as ONNX again, with the same outputs in ONNX Runtime.

Each model was exported with two sets of sizes and options, **a** and **b**. A line without a letter holds for both, and gives both
counts where they differ.

${libraries.map(([library, own]) => section(library, own)).join("\n")}
## How it was measured

\`studies/incoming/export.py\` exports the models at small sizes with random weights, and says at its top how the table is made from
the files. Sizes decide the counts of heads and channels.
`;
}

function countOf(exported: readonly Exported[]): string {
  return `${exported.filter(({ outcome }) => outcome.in).length} of ${exported.length}`;
}

function section(library: string, rows: readonly Row[]): string {
  const exported = rows.filter((row) => row.exported);
  const models = new Set(exported.map(({ model }) => model));
  const head = ["model", "exporter", "in", "open batch", "heads", "channels", "pruned", "and out"];
  const align = ["---", "---", ":-:", ":-:", "--:", "--:", ":-:", ":-:"];
  const lines = [...Map.groupBy(exported, ({ model }) => model).values()].flatMap(linesOf);
  const repository = repositories[library];
  return `## ${library}

${countOf(exported)} files of the ${models.size} models of ${repository === undefined ? library : `[${library}](https://github.com/${repository})`} that can be exported.

${[head, align, ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n")}

${reasons("Why not", exported.flatMap(whyNot))}
${reasons(
  "Not exported: a model that cannot be built here, or that an exporter refuses",
  rows.flatMap((row) => (row.exported ? [] : [{ ...row, why: row.why }])),
)}`;
}

/** A line for each finding, with the exporters and configurations that came to it; counts differ with sizes. */
function linesOf(rows: readonly Exported[]): string[][] {
  const configurations = new Set(rows.map(({ configuration }) => configuration));
  return [...Map.groupBy(rows, ({ outcome }) => marksOf(outcome).join()).values()].map((same) => {
    const own = new Set(same.map(({ configuration }) => configuration));
    const exporters = new Set(same.map(({ exporter }) => exporter));
    const letters = own.size === configurations.size ? "" : ` (${[...own].join(", ")})`;
    const counts = (of: (outcome: Read) => number) =>
      [...new Set(same.flatMap(({ outcome }) => (outcome.in ? [of(outcome) || no] : [])))].join(" / ");
    const [read, open, pruned, out] = marksOf(same[0]!.outcome);
    return [
      `${same[0]!.model.replaceAll("_", " ")}${letters}`,
      exporters.size > 1 ? "both" : same[0]!.exporter,
      ...[read!, open!, counts(({ heads }) => heads), counts(({ channels }) => channels), pruned!, out!],
    ];
  });
}

/** Whether a file comes in, with an open batch, is pruned rightly, and goes out again. */
function marksOf(outcome: Outcome): string[] {
  if (!outcome.in) return [no, "", "", ""];
  const { openBatch, pruned, roundTrip } = outcome;
  return [true, openBatch === true, pruned === true, typeof roundTrip === "number"].map((done) =>
    done ? yes : no,
  );
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
  return `### ${title}\n\n${lines.join("\n")}\n`;
}

/** Names in messages may look like HTML, or like what Vue fills in. */
function escaped(text: string): string {
  return text.replaceAll("<", "&lt;").replaceAll("{", "&#123;").replaceAll("`", "'");
}
