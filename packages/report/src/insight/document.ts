import { densityMap } from "@espalier/core";
import { headDensity, layerDensity } from "../charts/density.ts";
import { importanceChart } from "../charts/importance.ts";
import { maskSheet } from "../charts/masks.ts";
import { sensitivityChart } from "../charts/sensitivity.ts";
import type { Block, Document } from "../document.ts";
import type { Figure } from "../figure.ts";
import { comparisonTable } from "./comparison.ts";
import type { Insight } from "./insight.ts";

/** The facts about a model as a document: charts, and the comparison as a table. */
export function insightDocument(insight: Insight): Document {
  const { name, comparison } = insight;
  return {
    title: name,
    lead: `${insight.layers.length} layers, ${insight.heads.length} attentions with heads.`,
    blocks: [
      ...(comparison === undefined
        ? []
        : [heading("Before and after"), { kind: "table", table: comparisonTable(comparison) } as const]),
      heading("Insight"),
      ...figuresOf(insight).map((figure): Block => ({ kind: "figure", figure })),
    ],
  };
}

function heading(text: string): Block {
  return { kind: "heading", level: 2, text };
}

function figuresOf({ name, layers, heads, masks, importance, sensitivity }: Insight): Figure[] {
  const figures: Figure[] = [
    {
      name: "density-layers",
      title: "Density by layer",
      spec: layerDensity(densityMap(layers), name),
      alt: `Heat map: per cent of the weights that remain in each of ${layers.length} layers.`,
      caption: "Removed and masked weights both count as gone, relative to the layer before pruning.",
    },
  ];
  if (heads.length > 0)
    figures.push({
      name: "density-heads",
      title: "Density by attention head",
      spec: headDensity([{ title: "head", heads }], name),
      alt: `Heat map: per cent of each head's weights that remain, ${heads.length} attentions.`,
      caption: "A removed head has 0.",
    });
  if (importance !== undefined)
    figures.push({
      name: "importance",
      title: "Importance of weights",
      spec: importanceChart(importance, name),
      alt: `Histograms of importance by ${importance.criterion}, ${importance.layers.length} layers.`,
      caption:
        "If all layers are ranked together, those whose histogram is further left lose their weights first.",
    });
  if (sensitivity !== undefined)
    figures.push({
      name: "sensitivity",
      title: "Sensitivity of layers",
      spec: sensitivityChart(sensitivity, name),
      alt: "Heat map: validation MSE when one layer alone is pruned.",
      caption: `By criterion ${sensitivity.criterion}, without fine-tuning.`,
    });
  if (masks.length > 0)
    figures.push({
      name: "masks",
      title: "Masks",
      spec: maskSheet(masks, "Masks", name),
      alt: `Pictures of ${masks.length} weight tensors: kept, masked and removed weights.`,
      caption: "Rows × columns before pruning.",
    });
  return figures;
}
