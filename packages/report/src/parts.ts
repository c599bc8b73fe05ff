import type { HeadDensity, LayerCount } from "@espalier/core";
import { rolePattern } from "@espalier/core/pruning";
import { densityCell, headDensity } from "./charts/density.ts";
import { type HeatPanel, heatMap, shortNames } from "./charts/heat-map.ts";
import { runsNear } from "./charts/model-size.ts";
import { sensitivityChart } from "./charts/sensitivity.ts";
import { chart, type Look, type Spec } from "./charts/theme.ts";
import type { Figure } from "./figure.ts";
import { formatShare } from "./numbers.ts";
import type { RunRow, Section } from "./section.ts";

/** Number of rows in a chart above which layers of the same part are merged. */
export const maxRows = 36;

type Made = Omit<Figure, "name"> & { readonly name: string };

/** Charts of the places where a section's pruned models lost their weights, by layer and by head, and of each layer's sensitivity. */
export function partFigures(section: Section, looks: readonly Look[], sparsity: number): Made[] {
  return [...layerFigure(section, looks), ...headFigure(section, sparsity), ...sensitivityFigure(section)];
}

function layerFigure(section: Section, looks: readonly Look[]): Made[] {
  const before = section.dense.parts?.layers;
  const runs = distinctParts(section.runs);
  if (before === undefined || runs.length === 0) return [];
  const pruned = before.filter(({ name }) => runs.some((run) => densityIn(run.layers, name) < 1));
  const merged = pruned.length > maxRows;
  const keyOf = ({ name }: LayerCount) => (merged ? rolePattern(name) : name);
  const groups = [...Map.groupBy(pruned, keyOf)];
  const names = shortNames(groups.map(([key]) => key));
  const panels = looks.flatMap(({ strategy }): HeatPanel[] => {
    const own = runs.filter(({ run }) => run.strategy === strategy);
    if (own.length === 0) return [];
    const columns = own.map(({ run }) => formatShare(run.sparsity));
    const cells = own.flatMap(({ layers }, i) =>
      groups.map(([, members], g) => densityCell(names[g]!, columns[i]!, groupDensity(layers, members))),
    );
    return [{ title: strategy, columns, cells }];
  });
  const note = merged ? " Layers that play the same part in different blocks share a row (*)." : "";
  const spec: Spec = chart(
    "Density by layer",
    section.title,
    `Per cent of a layer's weights that remain, at each sparsity reached. Layers that lost nothing are not shown.${note}`,
    heatMap(names, panels, { step: 36 }),
  );
  return [
    {
      name: "density-layers",
      title: "Density by layer",
      spec,
      alt: `Heat map: per cent of the weights that remain, ${names.length} rows of layers, at each sparsity reached by ${panels.map(({ title }) => title).join(", ")}.`,
      caption:
        "Removed and masked weights both count as gone. A pale row is a layer that a strategy empties first; a strategy with even columns takes the same share everywhere.",
    },
  ];
}

function headFigure(section: Section, sparsity: number): Made[] {
  const runs = runsNear(section.runs, sparsity).filter(({ parts }) => (parts?.heads.length ?? 0) > 0);
  const [first] = runs;
  if (first === undefined || (section.dense.parts?.heads.length ?? 0) === 0) return [];
  const merged = section.dense.parts!.heads.length > maxRows;
  const models = runs.map(({ strategy, parts }) => ({
    title: strategy,
    heads: merged ? meanByPart(parts!.heads) : parts!.heads,
  }));
  return [
    {
      name: "density-heads",
      title: "Density by attention head",
      spec: headDensity(models, `${section.title}, at ${first.target}`),
      alt: `Heat map: per cent of each attention head's weights that remain at ${first.target}, one panel each for ${models.map(({ title }) => title).join(", ")}.`,
      caption: `A removed head has 0; a head with removed channels or masked weights has the share that remains.${merged ? " Attentions that play the same part in different blocks share a row (*), their mean." : ""}`,
    },
  ];
}

/** Merges attentions that play the same part in different blocks: the mean, head by head. */
function meanByPart(heads: readonly HeadDensity[]): HeadDensity[] {
  return [...Map.groupBy(heads, ({ name }) => rolePattern(name))].map(([name, members]) => ({
    name,
    dimension: members[0]!.dimension,
    density: members[0]!.density.map(
      (_, head) => members.reduce((sum, { density }) => sum + (density[head] ?? 0), 0) / members.length,
    ),
  }));
}

function sensitivityFigure({ sensitivity, title }: Section): Made[] {
  if (sensitivity === undefined) return [];
  const largestError = ({ errors }: (typeof sensitivity.layers)[number]) => Math.max(...errors);
  const shown = sensitivity.layers
    .toSorted((a, b) => largestError(b) - largestError(a))
    .slice(0, maxRows - 6);
  const some = { ...sensitivity, layers: sensitivity.layers.filter((layer) => shown.includes(layer)) };
  const short = some.layers.length < sensitivity.layers.length;
  return [
    {
      name: "sensitivity",
      title: "Sensitivity of layers",
      spec: sensitivityChart(some, title),
      alt: `Heat map: validation MSE when one layer alone is pruned. Most sensitive: ${shown[0]?.name ?? "none"}.`,
      caption: `For the dense model, by criterion ${sensitivity.criterion}. ${short ? `The ${some.layers.length} most sensitive of ${sensitivity.layers.length} layers. ` : ""}A layer near 1.00× can be pruned at no cost by itself; the error charts show the cost of pruning all layers.`,
    },
  ];
}

interface RunParts {
  readonly run: RunRow;
  readonly layers: readonly LayerCount[];
}

/** One run for each strategy and sparsity reached, sparsest last: fine-tuning changes no mask. */
function distinctParts(runs: readonly RunRow[]): RunParts[] {
  const seen = new Set<string>();
  return runs
    .flatMap((run) => (run.applicable && run.parts !== undefined ? [{ run, layers: run.parts.layers }] : []))
    .toSorted((a, b) => a.run.sparsity - b.run.sparsity)
    .filter(({ run }) => {
      const key = `${run.strategy} ${formatShare(run.sparsity)}`;
      const is = !seen.has(key);
      seen.add(key);
      return is;
    });
}

/** A layer that no longer exists was removed completely. */
function densityIn(layers: readonly LayerCount[], name: string): number {
  return layers.find((layer) => layer.name === name)?.density ?? 0;
}

function groupDensity(layers: readonly LayerCount[], members: readonly LayerCount[]): number {
  const names = new Set(members.map(({ name }) => name));
  const had = members.reduce((sum, { original }) => sum + original, 0);
  const left = layers.reduce((sum, { name, nonzero }) => sum + (names.has(name) ? nonzero : 0), 0);
  return had === 0 ? 1 : left / had;
}
