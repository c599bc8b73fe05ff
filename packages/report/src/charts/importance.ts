import type { ImportanceDistribution } from "@espalier/core";
import { shortNames } from "./heat-map.ts";
import { chart, ink, muted, palette, type Spec } from "./theme.ts";

const rowHeight = 24;

/** Histograms of importance, one row per layer, all on one logarithmic scale, with a mark at each median. */
export function importanceChart({ criterion, edges, layers }: ImportanceDistribution, section: string): Spec {
  const names = shortNames(layers.map(({ name }) => name));
  const areas = layers.flatMap(({ counts }, row) => {
    const top = Math.max(1, ...counts);
    return edges.map((x, i) => ({
      layer: row,
      x,
      base: row + 1,
      // The last edge ends the last bin.
      y: row + 1 - (0.9 * counts[Math.min(i, counts.length - 1)]!) / top,
    }));
  });
  const medians = layers.flatMap(({ median }, row) =>
    median === undefined ? [] : [{ x: median, base: row + 1, y: row + 0.55 }],
  );
  const powers = wholePowers(edges[0]!, edges.at(-1)!);
  const y = {
    type: "quantitative",
    scale: { domain: [layers.length, 0], nice: false },
    axis: {
      title: null,
      values: layers.map((_, row) => row + 0.7),
      // Names come from files: as JSON, they are only text in an expression, whatever they contain.
      labelExpr: `${JSON.stringify(names)}[floor(datum.value)]`,
      labelLimit: 400,
      labelColor: ink,
      grid: false,
    },
  };
  const x = {
    field: "x",
    type: "quantitative",
    scale: { domain: [edges[0]!, edges.at(-1)!], nice: false },
    axis: {
      title: `importance by ${criterion}`,
      values: powers,
      labelExpr: `${JSON.stringify(powers.map(powerText))}[indexof(${JSON.stringify(powers)}, datum.value)]`,
      grid: true,
    },
  };
  return chart(
    "Importance of weights",
    section,
    "Histograms of each layer's weights with two or more axes, each scaled to its own height; ticks: medians. Masked weights are left out.",
    {
      width: 460,
      height: rowHeight * layers.length,
      encoding: { x },
      layer: [
        {
          data: { values: areas },
          mark: { type: "area", color: palette[0]!.light, fillOpacity: 0.55, interpolate: "step-after" },
          encoding: {
            y: { ...y, field: "y", stack: null },
            y2: { field: "base" },
            detail: { field: "layer", type: "nominal" },
          },
        },
        {
          data: { values: medians },
          mark: { type: "rule", color: ink, strokeWidth: 1.5 },
          encoding: { y: { ...y, field: "base" }, y2: { field: "y" } },
        },
        {
          data: { values: layers.map((_, row) => ({ base: row + 1 })) },
          mark: { type: "rule", color: muted, strokeWidth: 0.5, strokeOpacity: 0.6 },
          encoding: { x: null, y: { ...y, field: "base" } },
        },
      ],
    },
  );
}

/** Integers inside a range, at most about eight. */
function wholePowers(low: number, high: number): number[] {
  const [first, last] = [Math.ceil(low), Math.floor(high)];
  const step = Math.max(1, Math.ceil((last - first + 1) / 8));
  return Array.from(
    { length: Math.max(0, Math.floor((last - first) / step) + 1) },
    (_, i) => first + i * step,
  );
}

/** −2 → 10⁻². */
function powerText(power: number): string {
  return `10${`${power}`.replace(/./g, (digit) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(digit)]!)}`;
}
