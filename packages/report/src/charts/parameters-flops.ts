import { formatShare, formatShort } from "../numbers.ts";
import type { RunRow, Section, Size } from "../section.ts";
import { denseDash } from "./legend.ts";
import { chart, ink, type Look, muted, paper, type Spec } from "./theme.ts";

interface Measure {
  readonly title: string;
  /** The live part, the dead part, and the amount that a dense kernel stores or executes. */
  readonly kept: (size: Size) => number;
  readonly dead: (size: Size) => number;
  readonly full: (size: Size) => number;
}

const measures: readonly Measure[] = [
  {
    title: "parameters",
    kept: ({ parameters }) => parameters.nonzero - parameters.deadNonzero,
    dead: ({ parameters }) => parameters.deadNonzero,
    full: ({ parameters }) => parameters.total,
  },
  {
    title: "FLOPs per window",
    kept: ({ flops }) => flops.effective,
    dead: ({ flops }) => flops.dead,
    full: ({ flops }) => flops.total,
  },
];

/** Parameters and FLOPs per strategy and sparsity: a group of bars per strategy, in order of the sparsity reached. */
export function parametersFlops(section: Section, looks: readonly Look[]): Spec {
  const groups = looks.map((look) => ({
    look,
    runs: distinctSizes(section.runs.filter(({ strategy }) => strategy === look.strategy)),
  }));
  const hollow = groups.some(({ runs }) => runs.some(({ met }) => !met));
  const masked = groups.some(({ runs }) =>
    runs.some(({ size }) => size.parameters.total > size.parameters.nonzero),
  );
  const subtitle = [
    "Below the bars: sparsity reached. Dashed: dense.",
    ...(section.dense.size.parameters.dead > 0
      ? ["Grey on top: dead, no output depends on it; the figures count the live part."]
      : []),
    ...(masked ? ["Pale: zeros, which a dense kernel still stores and multiplies."] : []),
    ...(groups.some(({ runs }) => runs.length === 0) ? ["n/a: not applicable."] : []),
    ...(hollow ? ["Hollow: target not reached."] : []),
  ].join(" ");
  return chart("Parameters and FLOPs per strategy and sparsity", section.title, subtitle, {
    concat: measures.flatMap((measure, i) => panelsOf(measure, section, groups, i === 0)),
    columns: 1 + groups.length,
    spacing: { row: 22, column: 16 },
  });
}

type Groups = readonly { readonly look: Look; readonly runs: readonly RunRow[] }[];

interface Bar {
  /** Position in its group, and the text below. */
  readonly position: string;
  readonly kept: number;
  readonly withDead: number;
  readonly full: number;
  readonly text: string;
  readonly fill: string;
}

/** A word in place of a missing bar. */
const notApplicable: Bar = { position: "0|", kept: 0, withDead: 0, full: 0, text: "n/a", fill: paper };

/** Panels side by side with one scale: dense first, then a panel per strategy. */
function panelsOf(
  { title, kept, dead, full }: Measure,
  { dense }: Section,
  groups: Groups,
  headed: boolean,
): Spec[] {
  const bar = (position: number, label: string, size: Size, fill: string): Bar => ({
    position: `${position}|${label}`,
    kept: kept(size),
    withDead: kept(size) + dead(size),
    full: full(size),
    text: formatShort(kept(size)),
    fill,
  });
  const all = kept(dense.size) + dead(dense.size);
  const panels = [
    { name: "dense", color: muted, bars: [bar(0, "0 %", dense.size, muted)] },
    ...groups.map(({ look, runs }) =>
      runs.length === 0
        ? { name: look.strategy, color: paper, bars: [notApplicable] }
        : {
            name: look.strategy,
            color: look.color,
            bars: runs.map((run, i) =>
              bar(i, formatShare(run.sparsity), run.size, run.met ? look.color : paper),
            ),
          },
    ),
  ];
  return panels.map(({ name, color, bars }, i) =>
    barPanel(headed ? name : "", bars, color, all, {
      type: "quantitative",
      scale: { domain: [0, Math.max(all, full(dense.size)) * 1.12], nice: false },
      axis: {
        title: i === 0 ? title : null,
        labels: i === 0,
        tickCount: 4,
        labelExpr: "format(datum.value, '.3~s')",
      },
    }),
  );
}

function barPanel(name: string, bars: readonly Bar[], color: string, dense: number, y: Spec): Spec {
  const x = {
    field: "position",
    type: "nominal",
    sort: null,
    axis: { title: null, labelExpr: "split(datum.value, '|')[1]", labelAngle: 0, ticks: false },
  };
  return {
    ...(name === "" ? {} : { title: { text: name, anchor: "middle", fontSize: 12, offset: 6, limit: 260 } }),
    width: Math.max(56, 40 * bars.length),
    height: 170,
    data: { values: bars },
    layer: [
      {
        data: { values: [{ dense }] },
        mark: { type: "rule", color: muted, strokeDash: denseDash },
        encoding: { y: { ...y, field: "dense" } },
      },
      {
        transform: [{ filter: "datum.full > datum.kept" }],
        mark: { type: "bar", fillOpacity: 0.25, width: 26, color },
        encoding: { x, y: { ...y, field: "full" } },
      },
      ...(bars.some((bar) => bar.withDead > bar.kept)
        ? // Grey over the background colour, so that the pale bar behind does not tint it.
          [
            { color: paper, fillOpacity: 1 },
            { color: muted, fillOpacity: 0.5 },
          ].map((fill) => ({
            mark: { type: "bar", width: 26, ...fill },
            encoding: { x, y: { ...y, field: "withDead", stack: null }, y2: { field: "kept" } },
          }))
        : []),
      {
        transform: [{ filter: "datum.kept > 0" }],
        mark: { type: "bar", width: 26, strokeWidth: 2, stroke: color },
        encoding: { x, y: { ...y, field: "kept" }, fill: { field: "fill", type: "nominal", scale: null } },
      },
      {
        mark: { type: "text", baseline: "bottom", dy: -4, color: ink, fontSize: 10 },
        encoding: { x, y: { ...y, field: "withDead" }, text: { field: "text" } },
      },
    ],
  };
}

/** Runs of different size, sparsest last: fine-tuning changes none, and targets out of reach share their nearest model. */
function distinctSizes(runs: readonly RunRow[]): RunRow[] {
  const seen = new Set<string>();
  return runs
    .filter(({ applicable }) => applicable)
    .toSorted((a, b) => a.sparsity - b.sparsity || Number(b.met) - Number(a.met))
    .filter(({ sparsity, size }) => {
      const key = `${sparsity} ${size.flops.effective}`;
      const is = !seen.has(key);
      seen.add(key);
      return is;
    });
}
