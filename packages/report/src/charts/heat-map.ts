import { ink, muted, palette, paper, type Spec } from "./theme.ts";

/** One cell; its row and its column by name. */
export interface HeatCell {
  readonly row: string;
  readonly column: string;
  /** Opacity, 0 to 1. */
  readonly share: number;
  readonly text: string;
}

/** A group of columns under a title. */
export interface HeatPanel {
  readonly title: string;
  readonly columns: readonly string[];
  readonly cells: readonly HeatCell[];
}

export interface HeatMapOptions {
  /** A colour of the palette, which the page replaces in a dark scheme; other shades could not be replaced. */
  readonly color?: string;
  /** Width of a cell. */
  readonly step?: number;
}

const rowHeight = 20;
/** Opacity from which on text is drawn in the paper's colour. */
const dark = 0.6;

/**
 * Shares as one colour at different opacity, with their text: rows down, panels side by side. Names of rows are shown
 * unchanged.
 */
export function heatMap(
  rows: readonly string[],
  panels: readonly HeatPanel[],
  options: HeatMapOptions = {},
): Spec {
  const { color = palette[0]!.light, step = 44 } = options;
  return {
    hconcat: panels.map(({ title, columns, cells }, i) => ({
      ...(title === ""
        ? {}
        : { title: { text: title, anchor: "start", fontSize: 12, offset: 6, limit: 400 } }),
      width: step * columns.length,
      height: rowHeight * rows.length,
      data: { values: cells },
      encoding: {
        x: {
          field: "column",
          type: "nominal",
          scale: { domain: columns, paddingInner: 0.06, paddingOuter: 0 },
          axis: {
            title: null,
            orient: "top",
            labelAngle: 0,
            ticks: false,
            domain: false,
            labelLimit: step + 8,
          },
        },
        y: {
          field: "row",
          type: "nominal",
          scale: { domain: rows, paddingInner: 0.1, paddingOuter: 0 },
          axis:
            i === 0 ? { title: null, ticks: false, domain: false, labelLimit: 400, labelColor: ink } : null,
        },
      },
      layer: [
        {
          mark: { type: "rect", color, stroke: muted, strokeOpacity: 0.35, strokeWidth: 0.6 },
          encoding: { fillOpacity: { field: "share", type: "quantitative", scale: null } },
        },
        { transform: [{ filter: `datum.share < ${dark}` }], mark: { ...label, color: ink } },
        { transform: [{ filter: `datum.share >= ${dark}` }], mark: { ...label, color: paper } },
      ].map((layer, at) => (at === 0 ? layer : { ...layer, encoding: { text: { field: "text" } } })),
    })),
    spacing: 14,
  };
}

const label = { type: "text", fontSize: 11 } as const;

/** Shortens dotted names to a length at a dot and keeps their ends, where they differ; longer if two would become equal. */
export function shortNames(names: readonly string[], length = 44): string[] {
  const short = names.map((name) => shortName(name, length));
  return short.map((text, i) => (short.indexOf(text) === short.lastIndexOf(text) ? text : names[i]!));
}

function shortName(name: string, length: number): string {
  if (name.length <= length) return name;
  const end = name.slice(name.length - (length - 1));
  const dot = end.indexOf(".");
  return `…${dot >= 0 && dot < length / 2 ? end.slice(dot + 1) : end}`;
}
