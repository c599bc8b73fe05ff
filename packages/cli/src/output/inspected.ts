import {
  account,
  headDensities,
  type Json,
  layerCounts,
  type Model,
  prunableDimensions,
  sparsity,
} from "@espalier/core";
import {
  formatBytes,
  formatCount,
  formatError,
  formatFlops,
  formatShare,
  plural,
  wrap,
} from "@espalier/report/text";
import { dataOf } from "@espalier/training";
import type { Colors } from "../context.ts";
import { headDensityLines } from "./insight.ts";
import { headingLines, shareBar, shortName, tableLines, textLines } from "./table.ts";

export interface InspectedOptions {
  /** Size of the model's file. */
  readonly bytes?: number | undefined;
  readonly all?: boolean | undefined;
  /** Width of the terminal; without one, names are not shortened. */
  readonly columns?: number | undefined;
}

/** Room that the columns next to a name take: of a layer, of a dimension. */
const [besideLayer, besideDimension, densityWidth] = [30, 34, 10];
/** Number of fixed dimensions named per reason. */
const shownNames = 3;

export function inspectedLines(model: Model, options: InspectedOptions, colors: Colors): string[] {
  const title = (text: string) => ["", colors.bold(text)];
  const heads = headDensities(model);
  return [
    ...headLines(model, colors),
    "",
    ...costLines(model, options.bytes, colors),
    ...title("density by layer"),
    ...layerLines(model, room(options, besideLayer), colors),
    ...(heads.length === 0
      ? []
      : [...title("density by head, %"), ...headDensityLines(heads, options.columns ?? 80, colors)]),
    ...title("prunable dimensions"),
    ...dimensionLines(model, room(options, besideDimension), colors),
    ...title("not prunable"),
    ...fixedLines(model, options.all ?? false, colors),
    ...(model.history.length === 0 ? [] : [...title("history"), ...historyLines(model.history)]),
  ];
}

function room({ columns = Number.POSITIVE_INFINITY }: InspectedOptions, beside: number): number {
  return Math.max(20, columns - beside);
}

function headLines(model: Model, colors: Colors): string[] {
  const data = dataOf(model);
  const options = Object.entries(model.options as object).map(([key, value]) => `${key} ${value}`);
  return [
    ...headingLines(model.name, data === undefined ? "" : `, trained on ${data.name}`, colors),
    ...wrap(options, 78, ", ").map((line) => colors.dim(line)),
  ];
}

function costLines(model: Model, fileBytes: number | undefined, colors: Colors): string[] {
  const { parameters, flops, bytes: size } = account(model);
  const { dense } = model;
  const left = (now: number, then: number) => (now === then ? "" : formatShare(now / then, 1));
  const rows = [
    ["parameters", formatCount(parameters.total), left(parameters.total, dense.parameters.total)],
    ["  live", formatCount(parameters.live), ""],
    ["  dead", formatCount(parameters.dead), ""],
    ["  nonzero", formatCount(parameters.nonzero), left(parameters.nonzero, dense.parameters.total)],
    ["FLOPs per window", formatFlops(flops.total), left(flops.total, dense.flops.total)],
    ["  zeros skipped", formatFlops(flops.effective), left(flops.effective, dense.flops.effective)],
    ["bytes, all stored", formatBytes(size.dense), left(size.dense, dense.bytes.dense)],
    ["  masks and kept values", formatBytes(size.stored), left(size.stored, dense.bytes.dense)],
    ...(fileBytes === undefined ? [] : [["  the file", formatBytes(fileBytes), ""]]),
  ];
  const pruned = sparsity(model) > 0;
  const head = ["", "now", pruned ? "of unpruned" : ""].map((text) => colors.bold(text));
  return tableLines(pruned ? [head, ...rows, ["sparsity", "", formatShare(sparsity(model), 1)]] : rows);
}

function layerLines(model: Model, width: number, colors: Colors): string[] {
  const rows = layerCounts(model).map(({ name, parameters, density }) => {
    const { full, rest } = shareBar(density, densityWidth);
    return [
      shortName(name, width),
      formatCount(parameters),
      formatShare(density),
      colors.cyan(full) + colors.dim(rest),
    ];
  });
  return tableLines(rows, { align: ["left", "right", "right", "left"] });
}

function dimensionLines(model: Model, width: number, colors: Colors): string[] {
  const list = prunableDimensions(model.dimensions);
  if (list.length === 0) return ["none"];
  const rows = list.map(({ name, kind, size, originalSize }) => [
    shortName(name, width),
    kind,
    formatCount(size),
    originalSize === undefined ? "" : colors.dim(`of ${formatCount(originalSize)}`),
  ]);
  return tableLines(rows, { align: ["left", "left", "right", "right"] });
}

/** Dimensions that nothing can be removed from, grouped by reason. */
function fixedLines(model: Model, all: boolean, colors: Colors): string[] {
  const byReason = Map.groupBy(
    model.dimensions.list.filter(({ fixed }) => fixed !== undefined),
    // Naming the node would make every reason different.
    ({ fixed }) => fixed!.replace(/ \([^()]*\)$/, ""),
  );
  return [...byReason].flatMap(([reason, list]) => {
    const shown = all || list.length <= shownNames ? list : list.slice(0, shownNames - 1);
    const more = list.length - shown.length;
    return [
      `${reason}:`,
      ...shown.map(({ name }) => colors.dim(`  ${name}`)),
      ...(more === 0 ? [] : [colors.dim(`  and ${more} more (--all)`)]),
    ];
  });
}

function historyLines(history: readonly Json[]): string[] {
  return history.flatMap((entry, i) => textLines(`${i + 1}  ${historyLine(entry as Record<string, Json>)}`));
}

/** A target as it is stored in the history. */
interface Reached {
  readonly metric: string;
  readonly achieved: number;
  readonly on?: string;
  readonly others?: readonly Reached[];
}

/** Describes a history entry; an entry of an unknown kind is shown as JSON. */
function historyLine(entry: Record<string, Json>): string {
  if (entry.did === "fit") {
    const { epochs, best, validation, data, backend, gradual } = entry as unknown as {
      epochs: number;
      best: number;
      validation: { mse: number };
      data?: { name: string };
      backend: string;
      gradual?: { strategy: string; target: Reached };
    };
    const on = data === undefined ? "" : ` on ${data.name}`;
    const pruned = gradual === undefined ? "" : `, pruned by ${gradual.strategy}${reached(gradual.target)}`;
    return `trained${on}${pruned}: ${plural(epochs, "epoch")}, best ${best}, validation MSE ${formatError(validation.mse)} (${backend})`;
  }
  if (entry.did === "prune") {
    const { strategy, target } = entry as unknown as { strategy: string; target?: Reached };
    return `pruned by ${strategy}${reached(target)}`;
  }
  if (entry.did === "reconstruct") {
    const { layers } = entry as unknown as { layers: { before: number; after: number }[] };
    const mean = (of: (layer: (typeof layers)[number]) => number) =>
      formatShare(layers.reduce((sum, layer) => sum + of(layer), 0) / layers.length, 1);
    const errors = layers.length === 0 ? "" : `, errors ${mean((l) => l.before)} → ${mean((l) => l.after)}`;
    return `refitted to the unpruned outputs: ${plural(layers.length, "layer")}${errors}`;
  }
  if (entry.did === "round") {
    const scales = entry.weights === "int8" ? ", a scale for each output" : "";
    return `weights rounded to ${String(entry.weights)}${scales}`;
  }
  return JSON.stringify(entry);
}

function reached(target: Reached | undefined): string {
  if (target === undefined) return "";
  const goals = [target, ...(target.others ?? [])].map(({ metric, achieved, on }) => {
    return `${metric} ${formatShare(achieved, 1)}${on === undefined ? "" : ` (${on})`}`;
  });
  return ` to ${goals.join(" and ")}`;
}
