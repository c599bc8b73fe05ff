import { extentOf } from "../dimensions/expression.ts";
import { originalSize } from "../dimensions/original.ts";
import { countElements } from "../graph/extent.ts";
import { liveValues } from "../graph/graph.ts";
import { keptCount } from "../model/mask.ts";
import type { Model } from "../model/model.ts";

/** Trainable elements of one layer: the tensors whose names differ only in their last part (`….weight`, `….bias`). */
export interface LayerCount {
  readonly name: string;
  /** Elements before anything was pruned. */
  readonly original: number;
  /** Elements now. */
  readonly parameters: number;
  /** Elements that are not masked. */
  readonly nonzero: number;
  /** nonzero ÷ original; 1 for a layer without elements. */
  readonly density: number;
  /** Whether some output depends on it. */
  readonly live: boolean;
}

/** Counts the trainable tensors of a model by layer, in graph order. Layers that were removed completely are not listed. */
export function layerCounts(model: Model): LayerCount[] {
  const { list, axes } = model.dimensions;
  const before = (d: number) => originalSize(list[d]!);
  const live = liveValues(model.graph);
  const layers = new Map<string, { original: number; parameters: number; nonzero: number; live: boolean }>();
  for (const { name, role, value } of model.graph.tensors) {
    if (role !== "trainable") continue;
    const layer = layerOf(name);
    const sum = layers.get(layer) ?? { original: 0, parameters: 0, nonzero: 0, live: false };
    const parameters = countElements(model.tensors.get(name)!.shape);
    const mask = model.masks.get(name);
    sum.original += axes[value]!.reduce<number>((n, e) => n * (extentOf(e, before) as number), 1);
    sum.parameters += parameters;
    sum.nonzero += mask === undefined ? parameters : keptCount(mask);
    sum.live ||= live[value] === 1;
    layers.set(layer, sum);
  }
  return [...layers].map(([name, { live: isLive, ...sum }]) => ({
    name,
    ...sum,
    density: sum.original === 0 ? 1 : sum.nonzero / sum.original,
    live: isLive,
  }));
}

/** The layer a tensor belongs to: its name without the last part. */
export function layerOf(tensor: string): string {
  return tensor.slice(0, Math.max(0, tensor.lastIndexOf("."))) || tensor;
}
