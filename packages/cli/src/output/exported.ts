import { account, type Model, sparsity } from "@espalier/core";
import {
  formatBytes,
  formatChange,
  formatCount,
  formatError,
  formatShare,
  plural,
} from "@espalier/report/text";
import type { Colors } from "../context.ts";
import type { Rounding } from "../shared/rounding.ts";
import { tableLines } from "./table.ts";

/** The result of an export. */
export interface ExportedReport {
  readonly model: Model;
  readonly to: "onnx" | "tfjs" | "tflite" | "safetensors";
  readonly out: string;
  /** Size of the model's file. */
  readonly fileBytes: number;
  /** Size of the written file or folder. */
  readonly bytes: number;
  /** The effect of rounding, if weights were rounded. */
  readonly rounding: Rounding | undefined;
  /** Whether masked weights take no space. */
  readonly packed: boolean;
}

const formats = {
  onnx: "ONNX",
  tfjs: "TensorFlow.js",
  tflite: "LiteRT",
  safetensors: "safetensors",
} as const;

export function exportedLines(report: ExportedReport, colors: Colors): string[] {
  const { model, to, out, rounding, fileBytes } = report;
  const { parameters, bytes: size } = account(model);
  const { dense } = model;
  const rows = [
    ["weights, unpruned", formatBytes(dense.bytes.dense), ""],
    [
      "weights, masks and kept values",
      formatBytes(size.stored),
      formatChange(size.stored / dense.bytes.dense),
    ],
    ["the model's file", formatBytes(fileBytes), ""],
    ["written", formatBytes(report.bytes), formatChange(report.bytes / fileBytes)],
  ];
  return [
    `${colors.bold(model.name)} as ${formats[to]}${rounding === undefined ? "" : `, ${rounding.weights} weights`}`,
    `${formatCount(parameters.nonzero)} of ${formatCount(dense.parameters.total)} parameters, sparsity ${formatShare(sparsity(model), 1)}`,
    ...prunedLines(report).map((line) => colors.dim(line)),
    "",
    ...tableLines(rows),
    ...(rounding === undefined ? [] : ["", ...roundingLines(rounding, colors)]),
    "",
    colors.green(out),
  ];
}

/** Lines for removed and for masked parts. */
function prunedLines({ model, packed }: ExportedReport): string[] {
  const { kinds, masked } = pruned(model);
  if (kinds.length === 0 && masked.tensors === 0) return ["nothing is pruned"];
  return [
    ...kinds.map(
      ({ kind, dimensions, size, originalSize }) =>
        `${kind}: ${formatCount(size)} of ${formatCount(originalSize)} left in ${plural(dimensions, "dimension")}`,
    ),
    ...(masked.tensors === 0
      ? []
      : [
          `masks on ${plural(masked.tensors, "tensor")}${packed ? "" : ": masked weights are written as zeros and take up space"}`,
        ]),
  ];
}

function pruned(model: Model) {
  const shrunk = model.dimensions.list.filter(({ originalSize }) => originalSize !== undefined);
  const kinds = [...Map.groupBy(shrunk, ({ kind }) => kind)].map(([kind, list]) => ({
    kind,
    dimensions: list.length,
    size: list.reduce((sum, { size }) => sum + (size as number), 0),
    originalSize: list.reduce((sum, { originalSize }) => sum + originalSize!, 0),
  }));
  return { kinds, masked: { tensors: model.masks.size } };
}

/** The effect of rounding; with the sizes of the files, a table of all that changes. */
export function roundingLines(
  rounding: Rounding,
  colors: Colors,
  sizes?: { readonly before: number; readonly after: number },
): string[] {
  const { weights } = rounding;
  const bytes = sizes === undefined ? [] : [sizeRow(sizes)];
  const head = ["", "float32", weights, "change"].map((text) => colors.bold(text));
  if (rounding.measured === "outputs") {
    return [
      ...(sizes === undefined ? [] : tableLines([head, ...bytes])),
      `${weights} weights change outputs by at most ${formatError(rounding.change)} of the largest, for ${rounding.samples} random inputs`,
      colors.dim(`the test error was not measured: ${rounding.reason}`),
    ];
  }
  const { before, after, data } = rounding;
  const rows = (["mse", "mae"] as const).map((key) => [
    `test ${key.toUpperCase()}, ${data}`,
    formatError(before[key]),
    formatError(after[key]),
    exactChange(before[key], after[key]),
  ]);
  return tableLines([head, ...bytes, ...rows]);
}

function sizeRow({ before, after }: { readonly before: number; readonly after: number }): string[] {
  return ["bytes on disk", formatBytes(before), formatBytes(after), formatChange(after / before)];
}

/** Formats a small change: as a power of ten if percents have too few digits. */
function exactChange(from: number, to: number): string {
  const share = to / from - 1;
  if (!Number.isFinite(share) || share === 0 || Math.abs(share) >= 0.001) return formatChange(to / from);
  return `${share < 0 ? "−" : "+"}${(100 * Math.abs(share)).toExponential(1)} %`;
}

export function exportedJson({ model, to, out, fileBytes, bytes, rounding }: ExportedReport): object {
  const counts = account(model);
  return {
    model: model.name,
    format: to,
    ...counts,
    sparsity: sparsity(model, counts),
    unpruned: model.dense,
    pruned: pruned(model),
    fileBytes,
    writtenBytes: bytes,
    ...(rounding && { [rounding.weights]: rounding }),
    written: [out],
  };
}
