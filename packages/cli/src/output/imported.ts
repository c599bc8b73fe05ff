import { account, type Model } from "@espalier/core";
import type { Graph } from "@espalier/core/graph";
import { formatCount, formatFlops, formatShare, plural, wrap } from "@espalier/report/text";
import type { Colors } from "../context.ts";
import type { Settings } from "../options/settings.ts";
import type { Parity } from "../shared/parity.ts";
import { type InputFacts, type Understanding, understand } from "../shared/understanding.ts";
import { shortName, tableLines } from "./table.ts";

/** The result of an import. An ONNX file needs no options; a folder has a configuration, of other weights shapes tell. */
export interface ImportedReport {
  readonly file: string;
  readonly out: string;
  readonly model: Model;
  /** Options in a configuration beside the weights. */
  readonly configured?: Settings;
  /** Options seen in the shapes of the weights. */
  readonly seen?: Settings;
  readonly given?: Settings;
  /** Defaults of the options that no shape shows. */
  readonly assumed?: Settings;
  /** Comparisons with expected outputs; none where there are none, and undefined if none were wanted. */
  readonly parity?: readonly Parity[];
}

/** Operators that a model is known by. */
const telling = [
  "MatMul",
  "Conv",
  "LSTM",
  "GRU",
  "Softmax",
  "LayerNormalization",
  "BatchNormalization",
  "Gelu",
  "Relu",
];

/** Columns of a terminal, and of what stands behind a title. */
const [width, room] = [80, 62];
/** Names shown of a longer list. */
const maxNames = 3;

export function importedLines(report: ImportedReport, colors: Colors): string[] {
  const { model, file, out, configured, seen, given, assumed } = report;
  const facts = understand(model);
  const title = (text: string) => ["", colors.bold(text)];
  const option = (name: string, settings: Settings = {}) =>
    titled(
      name,
      Object.entries(settings).map(([key, value]) => `${key} ${text(value)}`),
    );
  const rows = [
    [
      "trained",
      `${formatCount(facts.trained.parameters)} parameters in ${plural(facts.trained.tensors, "tensor")}`,
    ],
    ...(facts.buffers.tensors === 0
      ? []
      : [
          [
            "buffers",
            `${formatCount(facts.buffers.numbers)} numbers in ${plural(facts.buffers.tensors, "tensor")}`,
          ],
        ]),
    ["a window", formatFlops(account(model).flops.total)],
    ...titled("operators", [plural(model.graph.nodes.length, "node"), ...recognised(model.graph)]),
    ...option("in config.json", configured),
    ...option("seen in shapes", seen),
    ...option("given", given),
    ...option("by default", assumed),
  ];
  return [
    `${colors.bold(model.name)} from ${file}${origin(model)}`,
    "",
    ...tableLines(rows, { align: ["left", "left"] }),
    "",
    ...portLines(facts, colors),
    ...title("can be removed"),
    ...prunableLines(facts, colors),
    ...(facts.frozen.length === 0 ? [] : [...title("stays whole"), ...frozenLines(facts, colors)]),
    ...guessedLines(facts, colors, title),
    ...(assumed !== undefined && Object.keys(assumed).length > 0
      ? ["", colors.dim("Default options leave no trace in the weights; --set changes them.")]
      : []),
    ...parityLines(report, colors),
    "",
    colors.green(out),
  ];
}

function titled(title: string, words: readonly string[]): string[][] {
  return wrap(words, room, ", ").map((line, i) => [i === 0 ? title : "", line]);
}

function text(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function origin({ metadata }: Model): string {
  const { producer = "", opset } = (metadata.onnx ?? {}) as { producer?: string; opset?: number };
  return opset === undefined ? "" : ` (${producer === "" ? "" : `${producer}, `}opset ${opset})`;
}

function recognised({ nodes }: Graph): string[] {
  const counts = operators(nodes);
  return telling.flatMap((name) => (counts[name] === undefined ? [] : [`${name} × ${counts[name]}`]));
}

function portLines({ inputs, outputs }: Understanding, colors: Colors): string[] {
  const role = ({ role, read }: InputFacts) =>
    [role, read ? "" : "not read"].filter((part) => part !== "").join(", ");
  const rows = [
    ...inputs.map((one, i) => [
      i === 0 ? "in" : "",
      shortName(one.name, 24),
      one.shape,
      colors.dim(role(one)),
    ]),
    ...outputs.map(({ name, shape }, i) => [i === 0 ? "out" : "", shortName(name, 24), shape, ""]),
  ];
  const fed = inputs.some(({ name }) => name === "x_enc");
  return [
    ...tableLines(rows, { align: ["left", "left", "left", "left"] }),
    ...(fed
      ? []
      : [
          colors.dim(
            "To train it here on data, its history must be an input called x_enc: rename it and export again.",
          ),
        ].flatMap((line) => wrap(line.split(" "), width - 1))),
  ];
}

function prunableLines({ prunable, blocks, outside }: Understanding, colors: Colors): string[] {
  const free = blocks.filter(({ fixed }) => fixed === undefined);
  const rows = [
    ...prunable.map(({ kind, dimensions, sizes, size, share }) => [
      kind,
      formatCount(dimensions),
      sizesText(sizes, size),
      formatShare(share),
    ]),
    ...(free.length === 0
      ? []
      : [
          [
            "block (depth)",
            formatCount(free.length),
            (["attention", "feed-forward"] as const)
              .flatMap((kind) => {
                const count = free.filter((one) => one.kind === kind).length;
                return count === 0 ? [] : [`${count} ${kind}`];
              })
              .join(", "),
            "",
          ],
        ]),
  ];
  if (rows.length === 0) return ["nothing as a whole; single weights can be masked"];
  const head = ["kind", "", "sizes", "of the parameters"].map((name) => colors.dim(name));
  const rest = Math.round(outside * 100);
  return [
    ...tableLines([head, ...rows], { align: ["left", "right", "left", "right"] }),
    ...(rest === 0
      ? []
      : [colors.dim(`${rest} % of the parameters are in none of these; they can be masked one by one.`)]),
  ];
}

/** `4 × 16, 2 × 8`; where there are many sizes, their sum. */
function sizesText(sizes: Understanding["prunable"][number]["sizes"], total: number): string {
  const each = sizes.map(({ size, times }) =>
    times === 1 ? formatCount(size) : `${times} × ${formatCount(size)}`,
  );
  const shown = each.slice(0, maxNames).join(", ");
  const rest = each.length > maxNames ? ", …" : "";
  return sizes.length === 1 && sizes[0]!.times === 1 ? shown : `${shown}${rest} = ${formatCount(total)}`;
}

function frozenLines({ frozen }: Understanding, colors: Colors): string[] {
  return frozen.flatMap(({ reason, dimensions }) => {
    const shown = dimensions.slice(0, dimensions.length <= maxNames ? maxNames : maxNames - 1);
    const more = dimensions.length - shown.length;
    return [
      ...wrap(`${reason}:`.split(" "), width - 1),
      ...shown.map(({ name, size }) => colors.dim(`  ${shortName(name, width - 14)}  ${formatCount(size)}`)),
      ...(more === 0 ? [] : [colors.dim(`  and ${more} more`)]),
    ];
  });
}

function guessedLines(
  { guessed }: Understanding,
  colors: Colors,
  title: (text: string) => string[],
): string[] {
  const { trainable, buffers } = guessed;
  if (trainable.length + buffers.length === 0) return [];
  const list = (name: string, names: readonly string[]) =>
    names.length === 0
      ? []
      : wrap(shortened(names), room, ", ").map((line, i) => [i === 0 ? name : "", line]);
  return [
    ...title("guessed, since ONNX does not say what is trained"),
    ...tableLines([...list("trained", trainable), ...list("not trained", buffers)], {
      align: ["left", "left"],
    }),
    colors.dim("--trainable PATTERN and --buffers PATTERN say it."),
  ];
}

/** Names that differ only in numbers are one pattern. */
function shortened(names: readonly string[]): string[] {
  return [...Map.groupBy(names, (name) => name.replace(/\d+/g, "*"))].map(([pattern, same]) =>
    same.length === 1 ? shortName(same[0]!, room) : `${shortName(pattern, room - 8)} (${same.length})`,
  );
}

function parityLines({ parity }: ImportedReport, colors: Colors): string[] {
  if (parity === undefined) return [];
  if (parity.length === 0) {
    const what = "Not compared with expected outputs: there are none. --check FILE gives some.";
    return ["", colors.dim(what)];
  }
  const lines = parity.map(({ file: from, backend, against, samples, errors }) => {
    const worst = Math.max(...Object.values(errors));
    const what =
      against === "file" ? `agrees with ${from}` : `${from} has inputs only: agrees with the reference`;
    return `${colors.green("✓")} ${what} to ${worst.toExponential(1)} (${plural(samples, "sample")}, ${backend})`;
  });
  return ["", ...lines];
}

function operators(nodes: Graph["nodes"]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { operator } of nodes) counts[operator.name] = (counts[operator.name] ?? 0) + 1;
  return counts;
}

export function importedJson({
  model,
  file,
  out,
  configured,
  seen,
  given,
  assumed,
  parity,
}: ImportedReport): object {
  return {
    file,
    model: model.name,
    options: model.options,
    ...(configured === undefined ? {} : { configured }),
    ...(seen === undefined ? {} : { seen, given, assumed }),
    ...account(model),
    ...understand(model),
    operators: operators(model.graph.nodes),
    ...(parity === undefined ? {} : { parity }),
    metadata: model.metadata,
    written: [out],
  };
}
