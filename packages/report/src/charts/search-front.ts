import { labelOffsets } from "./level-labels.ts";
import { chart, ink, muted, palette, paper, type Spec } from "./theme.ts";

/** A model that a search tried. */
export interface SearchPoint {
  /** Share of the dense model's bytes, FLOPs or time. */
  readonly x: number;
  /** Mean squared error on the validation windows. */
  readonly y: number;
  /** How it was tuned: one colour each. */
  readonly kind: string;
  /** Text shown when a pointer rests on it. */
  readonly text: string;
}

/** A chart of everything that a search tried. */
export interface SearchChart {
  readonly title: string;
  readonly section: string;
  /** Title of the size axis. */
  readonly axis: string;
  readonly points: readonly SearchPoint[];
  /** Kinds in the order of the legend, at most eight. */
  readonly kinds: readonly string[];
  /** Models that none beats, the smallest first. */
  readonly front: readonly Pick<SearchPoint, "x" | "y">[];
  readonly chosen?: Pick<SearchPoint, "x" | "y"> | undefined;
  /** Horizontal lines with their labels: the limit, the dense model. */
  readonly levels: readonly { readonly y: number; readonly label: string }[];
  /** The largest error that is shown. */
  readonly top: number;
}

const percent = "format(100 * datum.value, '.3~g') + ' %'";

/** Error against size on a logarithmic axis: every model, the front as stairs, and a ring around the chosen one. */
export function searchFront(given: SearchChart): Spec {
  const { points, kinds, front, chosen, levels, top } = given;
  const shown = points.filter(({ y }) => y <= top);
  const sizes = shown.map(({ x }) => x);
  const domain = [Math.min(...sizes) / 1.25, Math.min(1, 1.25 * Math.max(...sizes))] as const;
  const least = Math.min(...shown.map(({ y }) => y), ...levels.map(({ y }) => y), chosen?.y ?? top);
  const errors = [least - 0.06 * (top - least), top] as const;
  const height = 340;
  const offsets = labelOffsets(
    levels.map(({ y }) => y),
    { domain: errors },
    height,
  );
  const x = { field: "x", type: "quantitative" };
  const y = { field: "y", type: "quantitative" };
  const stairs = front.flatMap((point, i) => [
    { x: point.x, y: point.y, order: 2 * i },
    { x: front[i + 1]?.x ?? domain[1], y: point.y, order: 2 * i + 1 },
  ]);
  const hidden = points.length - shown.length;
  const note = [
    "Stairs: the least error at each size. Ring: the chosen recipe.",
    ...(hidden === 0 ? [] : [`${hidden} with more error ${hidden === 1 ? "is" : "are"} above the edge.`]),
  ];
  return chart(given.title, given.section, note.join(" "), {
    width: 700,
    height,
    encoding: {
      x: {
        ...x,
        scale: { type: "log", domain, nice: false },
        axis: { title: given.axis, labelExpr: percent, values: ticksIn(domain) },
      },
      y: {
        ...y,
        scale: { domain: errors, nice: false, zero: false },
        axis: { title: "validation MSE", tickCount: 6 },
      },
    },
    layer: [
      ...levels.map(({ y: level }) => ruleLayer(domain, level)),
      ...levels.flatMap(({ y: level, label }, i) =>
        labelLayers({ x: domain[1], y: level, label }, offsets[i]!),
      ),
      {
        data: { values: stairs.filter((step) => step.y <= top) },
        mark: { type: "line", color: ink, strokeWidth: 1.2, strokeOpacity: 0.75, clip: true },
        encoding: { x, y, order: { field: "order", type: "quantitative" } },
      },
      {
        data: { values: shown },
        mark: { type: "point", filled: true, size: 70, opacity: 0.85, aria: true },
        encoding: {
          x,
          y,
          color: {
            field: "kind",
            type: "nominal",
            scale: { domain: kinds, range: palette.slice(0, kinds.length).map(({ light }) => light) },
            legend: { title: null, orient: "top", labelColor: muted, labelLimit: 300 },
          },
          description: { field: "text" },
        },
      },
      ...(chosen === undefined
        ? []
        : [
            {
              data: { values: [chosen] },
              mark: { type: "point", filled: false, size: 260, strokeWidth: 2, color: ink },
              encoding: { x, y },
            },
          ]),
    ],
  });
}

/** Ticks at 1, 2 and 5 of each decade, and between them where there are few. */
function ticksIn([low, high]: readonly [number, number]): number[] {
  const steps = high / low < 8 ? [1, 1.5, 2, 3, 4, 5, 7] : [1, 2, 5];
  const decades = Array.from({ length: Math.ceil(-Math.log10(low)) + 1 }, (_, i) => 10 ** -i);
  return decades
    .flatMap((decade) => steps.map((step) => step * decade))
    .filter((tick) => tick >= low && tick <= high)
    .sort((a, b) => a - b);
}

function ruleLayer([from, to]: readonly [number, number], level: number): Spec {
  return {
    data: { values: [{ from, to, y: level }] },
    mark: { type: "rule", color: muted, strokeDash: [4, 4] },
    encoding: {
      x: { field: "from", type: "quantitative" },
      x2: { field: "to" },
      y: { field: "y", type: "quantitative" },
    },
  };
}

/** A label with a rim that keeps lines off it; `dy` is the offset of its baseline from its own line. */
function labelLayers(label: { x: number; y: number; label: string }, dy: number): Spec[] {
  const text = { type: "text", align: "right", baseline: "alphabetic", dx: -2, dy, fontSize: 11 };
  const data = { values: [label] };
  const encoding = {
    x: { field: "x", type: "quantitative" },
    y: { field: "y", type: "quantitative" },
    text: { field: "label" },
  };
  return [
    { data, mark: { ...text, color: paper, stroke: paper, strokeWidth: 3 }, encoding },
    { data, mark: { ...text, color: muted }, encoding },
  ];
}
