import type { HeadDensity, ImportanceDistribution, MaskPicture, Sensitivity } from "@espalier/core";
import { comparisonTable, formatCount, formatShare, type Insight } from "@espalier/report/text";
import type { Colors } from "../context.ts";
import { shortName, tableLines } from "./table.ts";

/** From least to most ink. */
const shades = " ░▒▓█";
const steps = "▁▂▃▄▅▆▇█";
/** Width of a picture, and least width of a name next to a chart in a narrow terminal. */
const [pictureWidth, leastName] = [64, 20];

/** Formats what is known about a model as text. A narrow terminal shortens names and pictures, never numbers. */
export function insightLines(insight: Insight, columns: number | undefined, colors: Colors): string[] {
  const width = columns ?? 80;
  const { importance, sensitivity, comparison, masks } = insight;
  const part = (title: string, lines: readonly string[]) =>
    lines.length === 0 ? [] : ["", colors.bold(title), ...lines];
  return [
    ...(importance === undefined
      ? []
      : part(`importance by ${importance.criterion}`, importanceLines(importance, width, colors))),
    ...(sensitivity === undefined
      ? []
      : part(
          "sensitivity: error when only this layer is pruned",
          sensitivityLines(sensitivity, width, colors),
        )),
    ...masks.flatMap((mask) => part(mask.tensor, maskLines(mask, width, colors))),
    ...(comparison === undefined ? [] : part("before and after", comparisonLines(comparison, colors))),
  ];
}

/** A row per attention and a cell per head: ink and per cent, or only ink if there are many heads. */
export function headDensityLines(heads: readonly HeadDensity[], width: number, colors: Colors): string[] {
  const maxHeads = Math.max(0, ...heads.map(({ density }) => density.length));
  if (maxHeads === 0) return [];
  const wide = leastName + 2 + 6 * maxHeads <= width;
  const cell = wide ? 6 : 2;
  const room = Math.max(leastName, Math.min(40, width - 2 - cell * maxHeads));
  const name = (text: string) => shortName(text, room).padEnd(room);
  const numbers = Array.from({ length: maxHeads }, (_, head) => `${head}`.padStart(cell));
  return [
    colors.dim(`${" ".repeat(room)}${wide ? numbers.join("") : ""}`.trimEnd()),
    ...heads.map(({ name: attention, density }) => {
      const cells = density.map((d) =>
        wide
          ? ` ${colors.cyan(shade(d).repeat(2))}${(100 * d).toFixed(0).padStart(3)}`
          : colors.cyan(shade(d).repeat(2)),
      );
      return `${name(attention)}${cells.join("")}`;
    }),
  ].filter((line) => line !== "");
}

function shade(share: number): string {
  if (share === 0) return "·";
  return shades[Math.max(1, Math.min(shades.length - 1, Math.round(share * (shades.length - 1))))]!;
}

function importanceLines({ edges, layers }: ImportanceDistribution, width: number, colors: Colors): string[] {
  const bins = edges.length - 1;
  const room = Math.max(leastName, Math.min(44, width - bins - 12));
  const rows = layers.map(({ name, counts, median }) => {
    const top = Math.max(1, ...counts);
    const bars = counts.map((n) => (n === 0 ? " " : steps[Math.ceil((n / top) * steps.length) - 1]!));
    const middle = median === undefined ? "" : (10 ** median).toPrecision(2);
    return `${shortName(name, room).padEnd(room)}  ${colors.cyan(bars.join(""))}  ${middle.padStart(8)}`;
  });
  const [low, high] = [edges[0]!, edges[bins]!].map((edge) => (10 ** edge).toPrecision(2));
  const scale = `${low}${`${high}`.padStart(bins - `${low}`.length)}`;
  return [
    colors.dim(`${" ".repeat(room)}  ${"".padEnd(bins)}  ${"median".padStart(8)}`),
    ...rows,
    colors.dim(`${" ".repeat(room)}  ${scale}`),
  ];
}

function sensitivityLines({ amounts, error, layers }: Sensitivity, width: number, colors: Colors): string[] {
  const room = Math.max(leastName, width - 12 - 11 * amounts.length);
  const head = ["layer", "weights", ...amounts.map((amount) => formatShare(amount))].map((text) =>
    colors.bold(text),
  );
  const rows = layers.map(({ name, weights, errors }) => [
    shortName(name, room),
    formatCount(weights),
    ...errors.map((value) => {
      const ratio = value / error;
      const text = `${Number.isFinite(ratio) ? ratio.toFixed(2) : "∞"} ×`;
      if (ratio < 1.05) return colors.dim(text);
      return ratio < 1.5 ? colors.yellow(text) : colors.red(text);
    }),
  ]);
  return [
    ...tableLines([head, ...rows]),
    colors.dim(`× the error of the unpruned model, MSE ${error.toPrecision(4)}`),
  ];
}

/** Draws two rows of the picture per line, with `╱` for removed slices. */
function maskLines(picture: MaskPicture, width: number, colors: Colors): string[] {
  const columns = Math.min(pictureWidth, width, picture.columns);
  const rows = Math.min(Math.ceil(columns / 2), picture.rows);
  const { original, shape, density } = picture;
  const cut = shape.join() === original.join() ? "" : ` → ${shape.join(" × ")}`;
  const lines = Array.from({ length: rows }, (_, r) => {
    const cells = Array.from({ length: columns }, (_, c) => {
      const kept = meanIn(picture.kept, picture, { r, c, rows, columns });
      const removed = meanIn(picture.removed, picture, { r, c, rows, columns });
      return removed > 0.5 ? "╱" : kept === 0 ? " " : shade(kept);
    });
    return colors.cyan(cells.join("").trimEnd());
  });
  return [colors.dim(`${original.join(" × ")}${cut}, ${formatShare(density, 1)} kept`), ...lines];
}

interface Place {
  readonly r: number;
  readonly c: number;
  readonly rows: number;
  readonly columns: number;
}

/** Mean over the cells of a picture that fall into one cell of a coarser grid. */
function meanIn(shares: Float32Array, picture: MaskPicture, { r, c, rows, columns }: Place): number {
  const span = (at: number, cells: number, extent: number) => [
    Math.floor((at * extent) / cells),
    Math.max(Math.floor((at * extent) / cells) + 1, Math.floor(((at + 1) * extent) / cells)),
  ];
  const [top, bottom] = span(r, rows, picture.rows) as [number, number];
  const [left, right] = span(c, columns, picture.columns) as [number, number];
  let sum = 0;
  for (let y = top; y < bottom; y++)
    for (let x = left; x < right; x++) sum += shares[y * picture.columns + x]!;
  return sum / ((bottom - top) * (right - left));
}

function comparisonLines(comparison: NonNullable<Insight["comparison"]>, colors: Colors): string[] {
  const { columns, rows, caption } = comparisonTable(comparison);
  const head = columns.map(({ label }) => colors.bold(label));
  return [...tableLines([head, ...rows]), ...(comparison.time === undefined ? [] : [colors.dim(caption)])];
}

/** The same report as JSON data; pictures are rows of numbers with three decimals. */
export function insightJson({ layers: _, masks, ...rest }: Insight): object {
  return {
    ...rest,
    ...(masks.length === 0
      ? {}
      : {
          masks: masks.map(({ kept, masked, removed, ...picture }) => ({
            ...picture,
            kept: rounded(kept),
            masked: rounded(masked),
            removed: rounded(removed),
          })),
        }),
  };
}

function rounded(shares: Float32Array): number[] {
  return Array.from(shares, (share) => Math.round(1000 * share) / 1000);
}
