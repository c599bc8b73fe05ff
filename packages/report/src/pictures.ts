import {
  type ImportanceDistribution,
  importanceDistribution,
  type Model,
  maskPicture,
  medianOf,
  prunedTensors,
} from "@espalier/core";
import { rolePattern } from "@espalier/core/pruning";
import { importanceChart } from "./charts/importance.ts";
import { maskSheet } from "./charts/masks.ts";
import { runsNear } from "./charts/model-size.ts";
import type { Figure } from "./figure.ts";
import { formatShare } from "./numbers.ts";
import { maxRows } from "./parts.ts";
import type { Section } from "./section.ts";

/** Finds the model of a result by its name; undefined if it was not kept. */
export type FindModel = (id: string) => Promise<Model | undefined>;

/** Number of tensors on a sheet. */
const shown = 8;

/**
 * Charts that need the models themselves, not just their results: the importance of the dense model's weights, and the
 * masks of each strategy's model at the target nearest to a sparsity. Models that were not kept are left out.
 */
export async function pictureFigures(section: Section, sparsity: number, find: FindModel): Promise<Figure[]> {
  const figures: Figure[] = [];
  const dense = section.id === undefined ? undefined : await find(section.id);
  if (dense !== undefined) {
    const distribution = byPart(await importanceDistribution({ model: dense }));
    figures.push({
      name: `${section.slug}-importance`,
      title: "Importance of weights",
      spec: importanceChart(distribution, section.title),
      alt: `Histograms: magnitude of the dense model's weights on a logarithmic scale, ${distribution.layers.length} layers.`,
      caption:
        "If all layers are ranked together, those whose histogram is further left lose their weights first.",
    });
  }
  const runs = runsNear(section.runs, sparsity).filter(({ applicable }) => applicable);
  for (const [i, run] of runs.entries()) {
    const model = await find(run.id);
    if (model === undefined) continue;
    const pictures = prunedTensors(model).map((tensor) => maskPicture(model, tensor));
    const largest = pictures.toSorted((a, b) => area(b.original) - area(a.original)).slice(0, shown);
    const some = pictures.filter((picture) => largest.includes(picture));
    if (some.length === 0) continue;
    const what = `${run.strategy} at ${run.target}`;
    figures.push({
      name: `${section.slug}-masks-${i + 1}`,
      title: `Masks: ${what}`,
      spec: maskSheet(some, `Masks: ${what}`, section.title),
      alt: `Pictures of ${some.length} weight tensors, ${formatShare(run.sparsity)} of the model's parameters zero or removed.`,
      caption:
        some.length < pictures.length
          ? `The ${some.length} largest of ${pictures.length} pruned tensors, rows × columns before pruning.`
          : "Every pruned tensor, rows × columns before pruning.",
    });
  }
  return figures;
}

/** With many layers, merges those that play the same part in different blocks; the median is that of the bins. */
function byPart(distribution: ImportanceDistribution): ImportanceDistribution {
  const { layers, edges } = distribution;
  if (layers.length <= maxRows) return distribution;
  const parts = [...Map.groupBy(layers, ({ name }) => rolePattern(name))];
  return {
    ...distribution,
    layers: parts.map(([name, members]) => {
      const counts = members[0]!.counts.map((_, bin) =>
        members.reduce((sum, layer) => sum + layer.counts[bin]!, 0),
      );
      const zeros = members.reduce((sum, layer) => sum + layer.zeros, 0);
      const median = medianOf(counts, edges);
      return { name, counts, zeros, ...(median === undefined ? {} : { median }) };
    }),
  };
}

function area(shape: readonly number[]): number {
  return shape.reduce((n, extent) => n * extent, 1);
}
