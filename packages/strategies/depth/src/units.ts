import type { PrunableDimension } from "@espalier/core";
import type { ResidualModule } from "@espalier/core/pruning";

/** A module whose dimension can be emptied. */
export type RemovableModule = ResidualModule & { readonly dimension: PrunableDimension };

/** Modules that are removed together. */
export interface Unit {
  readonly kind: ResidualModule["kind"] | "layer";
  readonly modules: readonly RemovableModule[];
}

/**
 * Modules one by one or by layer: an attention (a decoder has two) and the feed-forward that follows. Modules that
 * share their weights share the dimension, and form one unit.
 */
export function unitsOf(modules: readonly RemovableModule[], unit: "module" | "layer"): Unit[] {
  const distinct = [...Map.groupBy(modules, ({ dimension }) => dimension.number).values()].map(
    ([first]) => first!,
  );
  if (unit === "module") return distinct.map((module) => ({ kind: module.kind, modules: [module] }));
  const layers: RemovableModule[][] = [];
  for (const [i, module] of distinct.entries()) {
    const before = distinct[i - 1];
    const begins = before === undefined || before.kind === "feed-forward";
    if (begins) layers.push([module]);
    else layers.at(-1)!.push(module);
  }
  return layers.map((own) => ({ kind: "layer", modules: own }));
}
