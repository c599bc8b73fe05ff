import { account, type Json, type Model, prunableDimensions } from "@espalier/core";
import { type Graph, printShape } from "@espalier/core/graph";
import { formatCount, formatFlops, plural } from "@espalier/report/text";
import type { Colors } from "../context.ts";
import type { Settings } from "../options/settings.ts";
import { tableLines } from "./table.ts";
import { wrap } from "./text.ts";

/** The result of an import. Options only apply to weights: an ONNX file needs none. */
export interface ImportedReport {
  readonly file: string;
  readonly out: string;
  readonly model: Model;
  /** Options seen in the shapes of the weights. */
  readonly seen?: Settings;
  readonly given?: Settings;
  /** Defaults of the options that no shape shows. */
  readonly assumed?: Settings;
}

/** Operators that characterise a model. */
const telling = ["MatMul", "Conv", "Softmax", "LayerNormalization", "BatchNormalization", "Gelu", "Relu"];

export function importedLines(report: ImportedReport, colors: Colors): string[] {
  const { model, file, out, seen, given, assumed } = report;
  const { parameters, flops } = account(model);
  const kinds = prunableKinds(model);
  const inventory = operators(model.graph);
  const recognised = telling.flatMap((name) => {
    const times = inventory[name];
    return times === undefined ? [] : [`${name} × ${times}`];
  });
  const option = (title: string, settings: Settings = {}) => {
    const words = Object.entries(settings).map(([key, value]) => `${key} ${text(value)}`);
    return wrap(words, 62, ", ").map((line, i) => [i === 0 ? title : "", line]);
  };
  const rows = [
    ["parameters", formatCount(parameters.total)],
    ["FLOPs per window", formatFlops(flops.total)],
    ...ports("in", model.graph, "inputs"),
    ...ports("out", model.graph, "outputs"),
    ...wrap([plural(model.graph.nodes.length, "node"), ...recognised], 62, ", ").map((line, i) => [
      i === 0 ? "recognised" : "",
      line,
    ]),
    ...option("seen in shapes", seen),
    ...option("given", given),
    ...option("by default", assumed),
  ];
  return [
    `${colors.bold(model.name)} from ${file}`,
    "",
    ...tableLines(rows, { align: ["left", "left"] }),
    "",
    colors.bold("prunable dimensions"),
    ...(kinds.length === 0
      ? ["none (but weights can be masked)"]
      : tableLines(
          kinds.map(({ kind, dimensions, size }) => [
            kind,
            formatCount(dimensions),
            `${formatCount(size)} in total`,
          ]),
        )),
    ...(assumed !== undefined && Object.keys(assumed).length > 0
      ? ["", colors.dim("Default options leave no trace in the weights; --set changes them.")]
      : []),
    "",
    colors.green(out),
  ];
}

function text(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function ports(title: string, graph: Graph, which: "inputs" | "outputs"): string[][] {
  return graph[which].map(({ name, value }, i) => [
    i === 0 ? title : "",
    `${name} ${printShape(graph.values[value]!.shape)}`,
  ]);
}

function prunableKinds(model: Model) {
  return [...Map.groupBy(prunableDimensions(model.dimensions), ({ kind }) => kind)].map(([kind, list]) => ({
    kind,
    dimensions: list.length,
    size: list.reduce((sum, { size }) => sum + size, 0),
  }));
}

function operators({ nodes }: Graph): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { operator } of nodes) counts[operator.name] = (counts[operator.name] ?? 0) + 1;
  return counts;
}

export function importedJson({ model, file, out, seen, given, assumed }: ImportedReport): object {
  const port = ({ name, value }: Graph["inputs"][number]): Json => ({
    name,
    shape: printShape(model.graph.values[value]!.shape),
  });
  return {
    file,
    model: model.name,
    options: model.options,
    ...(seen === undefined ? {} : { seen, given, assumed }),
    ...account(model),
    inputs: model.graph.inputs.map(port),
    outputs: model.graph.outputs.map(port),
    operators: operators(model.graph),
    prunable: prunableKinds(model),
    metadata: model.metadata,
    written: [out],
  };
}
