import { groupBy } from "../labels.ts";
import { beforeDash, denseDash } from "./legend.ts";
import { labelOffsets } from "./level-labels.ts";
import { dashes, type Look, muted, paper, type Spec } from "./theme.ts";

/** One measurement in a panel. */
export interface Point {
  readonly strategy: string;
  readonly tuning: string;
  readonly met: boolean;
  readonly x: number;
  readonly y: number;
  /** Half the length of the error bars; 0 draws none. */
  readonly xSpread: number;
  readonly ySpread: number;
  /** Points are joined in this order. */
  readonly order: number;
}

export interface Scale {
  readonly title: string;
  /** d3 number format, or "%" for shares. */
  readonly format: string;
  readonly domain: readonly [number, number];
  readonly log?: boolean;
  /** Positions of ticks; about five by default. */
  readonly ticks?: readonly number[];
}

/** A dashed line across, with its spread as a band. */
export interface Level {
  readonly value: number;
  readonly spread: number;
  readonly label: string;
}

export interface Panel {
  readonly title?: string;
  readonly width: number;
  readonly height: number;
  readonly x: Scale;
  readonly y: Scale;
  readonly points: readonly Point[];
  /** Joined by thin dotted lines, without marks; cut off at the frame. */
  readonly faint?: readonly Point[];
  /** Dashed horizontal lines, for the dense model or other references. */
  readonly levels?: readonly Level[];
  /** A dashed vertical line, for the dense model. */
  readonly plumb?: number;
  /** Small grey marks: the dense model's value for each point. */
  readonly beside?: readonly { readonly x: number; readonly y: number }[];
  readonly looks: readonly Look[];
  readonly tunings: readonly string[];
}

/** Strategies as lines of marks, with error bars: filled where the target was reached, hollow where not. */
export function panel(options: Panel): Spec {
  const {
    title,
    width,
    height,
    x,
    y,
    points,
    faint = [],
    levels = [],
    plumb,
    beside = [],
    looks,
    tunings,
  } = options;
  const channels = encodings(looks, tunings);
  const known = merged(points.filter(isFinitePoint));
  const labelled = levels.filter(({ label }) => label !== "");
  const offsets = labelOffsets(
    labelled.map(({ value }) => value),
    y,
    height,
  );
  return {
    ...(title === undefined ? {} : { title: { text: title, fontSize: 12, fontWeight: 500, offset: 8 } }),
    width,
    height,
    encoding: { x: channel("x", x), y: channel("y", y) },
    layer: [
      ...levels.flatMap((level) => levelLayers(level, x)),
      ...labelled.flatMap((level, i) => labelLayers(level, x, offsets[i]!)),
      ...(plumb === undefined ? [] : [plumbLayer(plumb, y)]),
      ...(beside.length === 0 ? [] : [besideLayer(beside)]),
      ...(faint.length === 0 ? [] : [faintLayer(faint.filter(isFinitePoint), channels)]),
      {
        data: { values: known },
        mark: { type: "line", strokeWidth: 2, clip: true },
        encoding: { ...channels.line, order: { field: "order", type: "quantitative" } },
      },
      ...barLayers(known, channels),
      {
        data: { values: known.filter(({ met }) => met) },
        mark: { type: "point", filled: true, size: 70, opacity: 1 },
        encoding: channels.point,
      },
      {
        data: { values: known.filter(({ met }) => !met) },
        mark: { type: "point", filled: false, fill: paper, size: 70, strokeWidth: 2, opacity: 1 },
        encoding: channels.point,
      },
    ],
  };
}

/** Range of numbers with a margin, from zero if requested. */
export function domainOf(values: readonly number[], fromZero = false): [number, number] {
  const known = values.filter(Number.isFinite);
  if (known.length === 0) return [0, 1];
  const high = Math.max(...known);
  if (fromZero) return [0, high === 0 ? 1 : high * 1.08];
  const low = Math.min(...known);
  const room = (high - low || Math.abs(high) || 1) * 0.08;
  return [low - room, high + room];
}

export function isFinitePoint({ x, y }: Point): boolean {
  return Number.isFinite(x) && Number.isFinite(y);
}

/** Formats as elsewhere in the report, with a space before the sign. */
const percent = "format(100 * datum.value, '.3~g') + ' %'";

interface Channels {
  readonly line: Spec;
  readonly point: Spec;
}

function encodings(looks: readonly Look[], tunings: readonly string[]): Channels {
  const domain = looks.map(({ strategy }) => strategy);
  const color = { domain, range: looks.map((look) => look.color) };
  const shape = { domain, range: looks.map((look) => look.shape) };
  const dash =
    tunings.length < 2
      ? {}
      : {
          strokeDash: {
            field: "tuning",
            scale: { domain: tunings, range: tunings.map((_, i) => dashes[i % dashes.length]) },
            legend: null,
          },
        };
  return {
    line: { color: { field: "strategy", scale: color, legend: null }, ...dash },
    point: {
      color: { field: "strategy", scale: color, legend: null },
      shape: { field: "strategy", scale: shape, legend: null },
    },
  };
}

/** Encoding of a whole panel; its layers can name another field. */
function channel(field: string, { title, format, domain, log, ticks }: Scale): Spec {
  return {
    field,
    type: "quantitative",
    scale: { domain, nice: false, ...(log ? { type: "log" } : { zero: false }) },
    axis: {
      title,
      ...(ticks === undefined ? { tickCount: 5 } : { values: ticks }),
      ...(format === "%" ? { labelExpr: percent } : { format }),
    },
  };
}

function faintLayer(points: readonly Point[], { line }: Channels): Spec {
  return {
    data: { values: points },
    mark: { type: "line", strokeWidth: 1.2, strokeDash: beforeDash, strokeOpacity: 0.75, clip: true },
    encoding: {
      color: line.color,
      detail: { field: "tuning" },
      order: { field: "order", type: "quantitative" },
    },
  };
}

function barLayers(points: readonly Point[], { line }: Channels): Spec[] {
  return (["x", "y"] as const).flatMap((axis) => {
    const values = points
      .filter((point) => point[`${axis}Spread`] > 0)
      .map((point) => ({
        ...point,
        low: point[axis] - point[`${axis}Spread`],
        high: point[axis] + point[`${axis}Spread`],
      }));
    if (values.length === 0) return [];
    return [
      {
        data: { values },
        mark: { type: "rule", strokeWidth: 1.5, strokeOpacity: 0.7, clip: true },
        encoding: {
          [axis]: { field: "low" },
          [`${axis}2`]: { field: "high" },
          color: line.color,
        },
      },
    ];
  });
}

function levelLayers({ value, spread }: Level, x: Scale): Spec[] {
  const [left, right] = x.domain;
  const across = { x: { field: "left" }, x2: { field: "right" } };
  const data = { values: [{ left, right, y: value, low: value - spread, high: value + spread }] };
  return [
    ...(spread === 0
      ? []
      : [
          {
            data,
            mark: { type: "rect", color: muted, fillOpacity: 0.15, clip: true },
            encoding: { ...across, y: { field: "low" }, y2: { field: "high" } },
          },
        ]),
    { data, mark: { type: "rule", color: muted, strokeDash: denseDash, strokeWidth: 1.5 }, encoding: across },
  ];
}

/** With its own background, if another level's line runs through it. */
function labelLayers({ value, label }: Level, x: Scale, dy: number): Spec[] {
  const data = { values: [{ left: x.domain[0], y: value, label }] };
  const place = { type: "text", align: "left", baseline: "bottom", dx: 2, dy, fontSize: 11 };
  const encoding = { x: { field: "left" }, text: { field: "label" } };
  const ground = { ...place, color: paper, stroke: paper, strokeWidth: 3 };
  return [ground, { ...place, color: muted }].map((mark) => ({ data, mark, encoding }));
}

function besideLayer(values: Panel["beside"] & object): Spec {
  return {
    data: { values },
    mark: {
      type: "tick",
      orient: "horizontal",
      color: muted,
      fillOpacity: 0.6,
      size: 12,
      thickness: 1.5,
      clip: true,
    },
  };
}

function plumbLayer(value: number, y: Scale): Spec {
  const [low, high] = y.domain;
  return {
    data: { values: [{ x: value, low, high }] },
    mark: { type: "rule", color: muted, strokeDash: denseDash, strokeWidth: 1.5 },
    encoding: { y: { field: "low" }, y2: { field: "high" } },
  };
}

/** Targets out of reach share their nearest model: its measurements become one point, their mean. */
function merged(points: readonly Point[]): Point[] {
  return groupBy(points, ({ strategy, tuning, order }) => [strategy, tuning, order]).map((group) => {
    const mean = (key: "x" | "y" | "xSpread" | "ySpread"): number =>
      group.reduce((sum, point) => sum + point[key], 0) / group.length;
    const met = group.some((point) => point.met);
    return {
      ...group[0]!,
      met,
      x: mean("x"),
      y: mean("y"),
      xSpread: mean("xSpread"),
      ySpread: mean("ySpread"),
    };
  });
}
