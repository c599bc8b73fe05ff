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
  const domain = [Math.min(...sizes) / 1.25, Math.min(1, 1.25 * Math.max(...sizes))];
  const least = Math.min(...shown.map(({ y }) => y), ...levels.map(({ y }) => y));
  const bottom = least - 0.06 * (top - least);
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
    height: 340,
    encoding: {
      x: {
        ...x,
        scale: { type: "log", domain, nice: false },
        axis: { title: given.axis, labelExpr: percent, tickCount: 6 },
      },
      y: {
        ...y,
        scale: { domain: [bottom, top], nice: false, zero: false },
        axis: { title: "validation MSE", tickCount: 6 },
      },
    },
    layer: [
      ...levels.flatMap(({ y: level, label }) =>
        levelLayers({ from: domain[0]!, to: domain[1]!, level, label }),
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

function levelLayers({
  from,
  to,
  level,
  label,
}: {
  from: number;
  to: number;
  level: number;
  label: string;
}): Spec[] {
  const data = { values: [{ from, to, y: level, label }] };
  const y = { field: "y", type: "quantitative" };
  const text = { type: "text", align: "right", baseline: "bottom", dx: -2, dy: -3, fontSize: 11 };
  const place = { x: { field: "to", type: "quantitative" }, y, text: { field: "label" } };
  return [
    {
      data,
      mark: { type: "rule", color: muted, strokeDash: [4, 4] },
      encoding: { x: { field: "from", type: "quantitative" }, x2: { field: "to" }, y },
    },
    { data, mark: { ...text, color: paper, stroke: paper, strokeWidth: 3 }, encoding: place },
    { data, mark: { ...text, color: muted }, encoding: place },
  ];
}
