import { dashes, ink, type Look, muted, type Spec } from "./theme.ts";

/** One entry: a mark, a line, or both. */
interface Entry {
  readonly text: string;
  readonly color: string;
  readonly shape?: string;
  readonly hollow?: boolean;
  readonly dash?: readonly number[];
}

/** The meaning of a chart's marks and lines, in addition to its strategies. */
export interface LegendOptions {
  readonly tunings?: readonly string[];
  /** Unreached targets are drawn hollow. */
  readonly hollow?: boolean;
  /** Thin dotted lines show errors before fine-tuning. */
  readonly before?: boolean;
  readonly width: number;
}

const height = 20;
const symbol = 22;

/** The legend as a separate view: Vega-Lite's cannot explain hollow marks and dotted lines. */
export function legend(looks: readonly Look[], options: LegendOptions): Spec {
  const { tunings = [], width } = options;
  const entries: Entry[] = [
    ...looks.map(({ strategy, color, shape }) => ({ text: strategy, color, shape })),
    ...(tunings.length < 2
      ? []
      : tunings.map((tuning, i) => ({
          text: `fine-tuning: ${tuning}`,
          color: muted,
          dash: dashes[i % dashes.length]!,
        }))),
    ...(options.before ? [{ text: "before fine-tuning", color: muted, dash: beforeDash }] : []),
    ...(options.hollow ? [{ text: "target not reached", color: muted, shape: "circle", hollow: true }] : []),
    { text: "dense", color: muted, dash: denseDash },
  ];
  const placed = place(entries, width);
  const rows = 1 + Math.max(...placed.map(({ row }) => row));
  const position = {
    x: { field: "x", type: "quantitative", scale: { domain: [0, width], nice: false }, axis: null },
    y: { field: "y", type: "quantitative", scale: { domain: [rows * height, 0], nice: false }, axis: null },
  };
  const color = { field: "color", type: "nominal", scale: null };
  const points = (hollow: boolean): Spec => ({
    data: {
      values: placed.filter((entry) => entry.shape !== undefined && (entry.hollow ?? false) === hollow),
    },
    mark: { type: "point", filled: !hollow, size: 70, strokeWidth: 2, opacity: 1 },
    encoding: { color, shape: { field: "shape", type: "nominal", scale: null } },
  });
  const lines = placed.filter(({ dash }) => dash !== undefined);
  return {
    width,
    height: rows * height,
    encoding: position,
    layer: [
      points(false),
      points(true),
      ...lines.map((entry) => ({
        data: { values: [entry] },
        mark: { type: "rule", strokeDash: entry.dash, strokeWidth: 1.8, color: entry.color },
        encoding: { x: { field: "from" }, x2: { field: "to" } },
      })),
      {
        data: { values: placed },
        mark: { type: "text", align: "left", baseline: "middle", dx: 10, fontSize: 12, color: ink },
        encoding: { text: { field: "text" } },
      },
    ],
  };
}

/** Thin dots: errors before fine-tuning. */
export const beforeDash: readonly number[] = [1.5, 3];
/** The dense model. */
export const denseDash: readonly number[] = [5, 3];

/** Entries from left to right, in as many rows as needed. */
function place(entries: readonly Entry[], width: number) {
  let x = 0;
  let row = 0;
  return entries.map((entry) => {
    const lead = entry.dash === undefined ? 8 : symbol;
    const length = lead + 10 + textWidth(entry.text) + 22;
    if (x > 0 && x + length > width) {
      x = 0;
      row++;
    }
    const at = x + lead;
    const placed = {
      ...entry,
      row,
      x: entry.dash === undefined ? x + 6 : at,
      y: (row + 0.5) * height,
      from: x,
      to: at,
    };
    x += length;
    return placed;
  });
}

/** Approximate width of text at 12 pixels. */
function textWidth(text: string): number {
  let sum = 0;
  for (const letter of text)
    sum += /[iljtfr.,:;'|()\s]/.test(letter) ? 4.2 : /[mwMW]/.test(letter) ? 10.5 : 7;
  return sum;
}
