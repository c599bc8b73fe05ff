import type { LayerCount } from "../accounting/layers.ts";

/** Layers as a heat map: a row for each part that blocks have in common, a column for each block. */
export interface DensityGroup {
  /** Common prefix of the names of its layers (`encoder.attn_layers`); empty for layers without a number. */
  readonly name: string;
  /** Numbers of the blocks in their names; one empty string if there is none. */
  readonly blocks: readonly string[];
  readonly rows: readonly {
    /** The part of the name after the number: `attention.query_projection`. */
    readonly name: string;
    /** By block; undefined if the block has no such layer. */
    readonly cells: readonly (LayerCount | undefined)[];
  }[];
}

/**
 * Sorts layers (from `layerCounts`) into groups by the first number in their names, so that `encoder.layers.0.conv1`
 * and `encoder.layers.1.conv1` are next to each other. `before`: layers of the unpruned model; those that pruning
 * removed completely then appear with density 0.
 */
export function densityMap(
  layers: readonly LayerCount[],
  before: readonly LayerCount[] = layers,
): DensityGroup[] {
  const now = new Map(layers.map((layer) => [layer.name, layer]));
  const all = before.map((layer): LayerCount => {
    const kept = now.get(layer.name);
    now.delete(layer.name);
    return kept ?? { ...layer, parameters: 0, nonzero: 0, density: 0 };
  });
  const placed = [...all, ...now.values()].map((layer) => ({ layer, ...placeOf(layer.name) }));
  return [...Map.groupBy(placed, ({ group }) => group)].map(([name, members]): DensityGroup => {
    const blocks = [...new Set(members.map(({ block }) => block))];
    const rows = Map.groupBy(members, ({ row }) => row);
    return {
      name,
      blocks,
      rows: [...rows].map(([row, cells]) => ({
        name: row,
        cells: blocks.map((block) => cells.find((cell) => cell.block === block)?.layer),
      })),
    };
  });
}

function placeOf(name: string): { readonly group: string; readonly block: string; readonly row: string } {
  const parts = name.split(".");
  const at = parts.findIndex((part) => /^\d+$/.test(part));
  // A number at the end distinguishes layers of a list, not blocks.
  if (at < 1 || at === parts.length - 1) return { group: "", block: "", row: name };
  return { group: parts.slice(0, at).join("."), block: parts[at]!, row: parts.slice(at + 1).join(".") };
}
