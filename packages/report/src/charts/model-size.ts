import { formatBytes, formatChange, formatShort } from "../numbers.ts";
import type { RunRow, Section, Size } from "../section.ts";
import { chart, ink, type Look, muted, paper, type Spec } from "./theme.ts";

interface Bar {
  readonly name: string;
  readonly value: number;
  /** The dead part of it. */
  readonly dead: number;
  readonly text: string;
  readonly color: string;
  readonly fill: string;
}

/** Model size per strategy at one target, next to dense: bytes as stored, and kept parameters. */
export function modelSize(section: Section, looks: readonly Look[], sparsity: number): Spec {
  const runs = runsNear(section.runs, sparsity);
  const width = 360;
  const panels = [
    {
      title: "size of the file",
      of: ({ bytes }: Size) => bytes.stored,
      deadOf: () => 0,
      format: formatBytes,
    },
    {
      title: "parameters kept",
      of: ({ parameters }: Size) => parameters.nonzero,
      deadOf: ({ parameters }: Size) => parameters.deadNonzero,
      format: formatShort,
    },
  ].map(({ title, of, deadOf, format }, i) => {
    const dense = of(section.dense.size);
    const bars: Bar[] = [
      {
        name: "dense",
        value: dense,
        dead: deadOf(section.dense.size),
        text: `${format(dense)}${deadText(deadOf(section.dense.size))}`,
        color: muted,
        fill: muted,
      },
      ...runs.map((run): Bar => {
        const { color } = looks.find(({ strategy }) => strategy === run.strategy)!;
        const name = run.strategy;
        if (!run.applicable)
          return { name, value: 0, dead: 0, text: "not applicable", color: paper, fill: paper };
        const value = of(run.size);
        const dead = deadOf(run.size);
        const text = `${format(value)} · ${formatChange(value / dense)}${deadText(dead)}`;
        return { name, value, dead, text, color, fill: run.met ? color : paper };
      }),
    ];
    return barPanel(title, bars, width, i === 0);
  });
  const asked = runs[0] === undefined ? "" : `, ${runs[0].target}`;
  const subtitle = [
    ...(runs.some(({ applicable, met }) => applicable && !met)
      ? ["Hollow: the target was not reached; the bar shows the nearest model."]
      : []),
    ...(section.dense.size.parameters.dead > 0 ? ["Pale end: dead, no output depends on it."] : []),
  ].join(" ");
  return chart(`Model size per strategy${asked}`, section.title, subtitle, { hconcat: panels });
}

function deadText(dead: number): string {
  return dead > 0 ? `, ${formatShort(dead)} dead` : "";
}

function barPanel(title: string, bars: readonly Bar[], width: number, named: boolean): Spec {
  const y = {
    field: "name",
    type: "nominal",
    sort: null,
    axis: named
      ? {
          title: null,
          labelFontSize: 12,
          labelColor: ink,
          labelLimit: 220,
        }
      : null,
  };
  const largest = Math.max(...bars.map(({ value }) => value));
  const x = {
    field: "value",
    type: "quantitative",
    // Room for the text after the longest bar.
    scale: { domain: [0, largest * (bars.some(({ dead }) => dead > 0) ? 1.75 : 1.35)], nice: false },
    axis: null,
  };
  return {
    title: { text: title, fontSize: 12, fontWeight: 500, offset: 6 },
    width,
    height: { step: 34 },
    data: { values: bars },
    encoding: { x, y },
    layer: [
      {
        mark: { type: "bar", height: 22, strokeWidth: 2, cornerRadiusEnd: 2 },
        encoding: {
          fill: { field: "fill", type: "nominal", scale: null },
          stroke: { field: "color", type: "nominal", scale: null },
        },
      },
      ...(bars.some(({ dead }) => dead > 0) ? [deadLayer(bars)] : []),
      {
        mark: { type: "text", align: "left", dx: 8, color: ink, fontSize: 12 },
        encoding: { text: { field: "text" } },
      },
    ],
  };
}

/** The dead end of each bar, drawn paler, like under a sheet of paper. */
function deadLayer(bars: readonly Bar[]): Spec {
  return {
    data: { values: bars.map(({ name, value, dead }) => ({ name, from: value - dead, to: value })) },
    mark: { type: "bar", height: 20, color: paper, fillOpacity: 0.6 },
    encoding: { x: { field: "from", type: "quantitative", stack: null }, x2: { field: "to" } },
  };
}

/** The runs of the target nearest to a sparsity: one per strategy, in order. */
export function runsNear(runs: readonly RunRow[], sparsity: number): RunRow[] {
  const distance = ({ metric, asked }: RunRow): number =>
    metric === "sparsity" ? Math.abs(asked - sparsity) : 1 + Math.abs(1 - asked - sparsity);
  const nearest = runs.toSorted((a, b) => distance(a) - distance(b))[0];
  const seen = new Set<string>();
  return runs.filter(({ metric, asked, strategy }) => {
    if (metric !== nearest?.metric || asked !== nearest.asked || seen.has(strategy)) return false;
    seen.add(strategy);
    return true;
  });
}
