import { densityMap } from "@espalier/core";
import { headDensity, layerDensity } from "../charts/density.ts";
import { importanceChart } from "../charts/importance.ts";
import { maskSheet } from "../charts/masks.ts";
import { sensitivityChart } from "../charts/sensitivity.ts";
import type { Block, Document } from "../document.ts";
import type { Figure } from "../figures.ts";
import { comparisonTable } from "./comparison.ts";
import type { Insight } from "./insight.ts";

/** What is known of a model as a document: charts, and the comparison as a table. */
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
      alt: `Heat map: per cent of the weights left in each of ${layers.length} layers.`,
      caption: "Removed and masked weights alike, of what the layer had before pruning.",
    },
  ];
  if (heads.length > 0)
    figures.push({
      name: "density-heads",
      title: "Density by attention head",
      spec: headDensity([{ title: "head", heads }], name),
      alt: `Heat map: per cent of each head's weights left, ${heads.length} attentions.`,
      caption: "A head that was removed has 0.",
    });
  if (importance !== undefined)
    figures.push({
      name: "importance",
      title: "Importance of weights",
      spec: importanceChart(importance, name),
      alt: `Histograms of importance by ${importance.criterion}, ${importance.layers.length} layers.`,
      caption:
        "Layers whose histogram lies to the left lose their weights first where all are ranked together.",
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
      alt: `Pictures of ${masks.length} weight tensors: what is kept, masked and removed.`,
      caption: "Rows × columns as they were before pruning.",
    });
  return figures;
}
