import type { DensityGroup, HeadDensity } from "@espalier/core";
import { type HeatCell, type HeatPanel, heatMap, shortNames } from "./heat-map.ts";
import { chart, type Spec } from "./theme.ts";

/** A density as text: `7.5 %` would not fit, and `<1` differs from nothing. */
function densityText(density: number): string {
  const percent = 100 * density;
  if (percent > 0 && percent < 1) return "<1";
  return percent < 100 && percent > 99 ? ">99" : percent.toFixed(0);
}

export function densityCell(row: string, column: string, density: number): HeatCell {
  return { row, column, share: density, text: densityText(density) };
}

/** Density of one model's layers: parts of blocks down, blocks across; layers without a number in separate panels. */
export function layerDensity(groups: readonly DensityGroup[], section: string): Spec {
  return chart("Density by layer", section, "Per cent of the unpruned layer's weights that remain.", {
    vconcat: groups.map(({ name, blocks, rows }) => {
      const names = shortNames(rows.map((row) => row.name));
      const cells = rows.flatMap((row, r) =>
        row.cells.flatMap((layer, b) =>
          layer === undefined ? [] : [densityCell(names[r]!, blocks[b]!, layer.density)],
        ),
      );
      return heatMap(names, [{ title: name, columns: blocks, cells }]);
    }),
    spacing: 18,
  });
}

/** Density of attention heads: attentions down, heads across; a panel for each of several models. */
export function headDensity(
  models: readonly { readonly title: string; readonly heads: readonly HeadDensity[] }[],
  section: string,
): Spec {
  const all = [...new Set(models.flatMap(({ heads }) => heads.map(({ name }) => name)))];
  const short = new Map(shortNames(all).map((name, i) => [all[i]!, name]));
  const maxHeads = Math.max(0, ...models.flatMap(({ heads }) => heads.map(({ density }) => density.length)));
  const columns = Array.from({ length: maxHeads }, (_, head) => `${head}`);
  const panels = models.map(
    ({ title, heads }): HeatPanel => ({
      title,
      columns,
      cells: heads.flatMap(({ name, density }) =>
        density.map((d, head) => densityCell(short.get(name)!, `${head}`, d)),
      ),
    }),
  );
  return chart(
    "Density by attention head",
    section,
    "Per cent of each head's weights (queries, keys, values and output) that remain. Empty: the head, or its attention, was removed.",
    heatMap([...short.values()], panels, { step: 30 }),
  );
}
