import { looksOf, palette } from "../../../../../packages/report/src/charts/theme.ts";
import type { Measure, Point } from "./points.ts";

/** A Vega-Lite specification: plain JSON. */
export type Spec = { readonly [key: string]: unknown };

export interface ChartOptions {
  readonly points: readonly Point[];
  readonly x: Measure;
  readonly y: Measure;
  /** The dense model's values. */
  readonly dense: { readonly x: number | undefined; readonly y: number | undefined };
  /** All strategies of the page, so that each keeps its colour whichever are shown. */
  readonly strategies: readonly string[];
  readonly dark: boolean;
  readonly width: number;
}

/** Colours of strategies by name. */
export function colorsOf(strategies: readonly string[], dark: boolean): Record<string, string> {
  return Object.fromEntries(
    strategies.map((strategy, i) => [strategy, palette[i % palette.length]![dark ? "dark" : "light"]]),
  );
}

/** One line a strategy, joined in the order of what was asked for; hollow marks where the target was not reached. */
export function chartSpec({ points, x, y, dense, strategies, dark, width }: ChartOptions): Spec {
  const values = points.flatMap(({ strategy, tuning, asked, met, values: of }, order) => {
    const [at, height] = [of[x.key], of[y.key]];
    if (at === undefined || height === undefined || !Number.isFinite(height.mean)) return [];
    return [
      {
        strategy,
        tuning,
        asked,
        met,
        order,
        x: at.mean,
        y: height.mean,
        low: height.mean - height.spread,
        high: height.mean + height.spread,
        xText: x.format(at.mean),
        yText: `${y.format(height.mean)}${height.spread > 0 ? ` ± ${y.format(height.spread)}` : ""}`,
      },
    ];
  });
  const ink = dark ? "#e9eee6" : "#1e2822";
  const muted = dark ? "#b7c1b7" : "#4a554d";
  const wire = dark ? "#28322c" : "#e4e0d3";
  const paper = dark ? "#0e1310" : "#f6f4ec";
  const color = {
    field: "strategy",
    type: "nominal",
    scale: { domain: strategies, range: strategies.map((name) => colorsOf(strategies, dark)[name]) },
    legend: null,
  };
  const shape = {
    field: "strategy",
    type: "nominal",
    scale: { domain: strategies, range: looksOf(strategies).map((look) => look.shape) },
    legend: null,
  };
  const scaleOf = ({ log }: Measure): Spec => ({
    nice: true,
    padding: 12,
    ...(log ? { type: "log" } : { zero: false }),
  });
  const tooltip = [
    { field: "strategy", title: "strategy" },
    { field: "asked", title: "asked" },
    { field: "xText", title: x.title },
    { field: "yText", title: y.title },
  ];
  const position = {
    x: {
      field: "x",
      type: "quantitative",
      scale: scaleOf(x),
      axis: { title: x.title, tickCount: 6, ...x.axis },
    },
    y: {
      field: "y",
      type: "quantitative",
      scale: scaleOf(y),
      axis: { title: y.title, tickCount: 6, ...y.axis },
    },
  };
  const rule = (channel: "x" | "y", value: number | undefined): Spec[] =>
    value === undefined
      ? []
      : [
          {
            data: { values: [{ [channel]: value }] },
            mark: { type: "rule", color: muted, strokeDash: [5, 3], strokeWidth: 1.3 },
            encoding: { [channel]: position[channel] },
          },
        ];
  // Only what there is: Vega warns of marks without data.
  const layer = (data: readonly object[], mark: Spec, encoding: Spec): Spec[] =>
    data.length === 0 ? [] : [{ data: { values: data }, mark, encoding: { ...position, ...encoding } }];
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    width,
    height: Math.round(Math.min(400, Math.max(280, width * 0.56))),
    autosize: { type: "fit", contains: "padding" },
    background: "transparent",
    layer: [
      ...rule("y", dense.y),
      ...(x.key === "sparsity" ? [] : rule("x", dense.x)),
      ...layer(
        values,
        { type: "line", strokeWidth: 2.2 },
        { color, detail: { field: "tuning" }, order: { field: "order", type: "quantitative" } },
      ),
      ...layer(
        values.filter(({ low, high }) => high > low),
        { type: "rule", strokeWidth: 1.4, opacity: 0.6 },
        { y: { ...position.y, field: "low" }, y2: { field: "high" }, color },
      ),
      ...layer(
        values.filter(({ met }) => met),
        { type: "point", filled: true, size: 90, opacity: 1 },
        { color, shape, tooltip },
      ),
      ...layer(
        values.filter(({ met }) => !met),
        { type: "point", filled: false, fill: paper, size: 90, strokeWidth: 2, opacity: 1 },
        { color, shape, tooltip },
      ),
    ],
    config: {
      font: "Inter, system-ui, sans-serif",
      view: { stroke: null },
      axis: {
        labelColor: muted,
        titleColor: ink,
        gridColor: wire,
        domainColor: muted,
        tickColor: muted,
        labelFontSize: 12,
        titleFontSize: 13,
        titleFontWeight: 500,
        titlePadding: 10,
      },
      axisX: { grid: false },
      axisY: { domain: false, ticks: false },
    },
  };
}
