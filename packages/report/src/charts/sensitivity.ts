import type { Sensitivity } from "@espalier/core";
import { formatError, formatShare } from "../numbers.ts";
import { heatMap, shortNames } from "./heat-map.ts";
import { chart, palette, type Spec } from "./theme.ts";

/** Full opacity means that the error is this many times that of the whole model. */
const fullOpacity = 3;

/** The effect of pruning each layer alone on the error. */
export function sensitivityChart({ layers, amounts, error }: Sensitivity, section: string): Spec {
  const names = shortNames(layers.map(({ name }) => name));
  const columns = amounts.map((amount) => formatShare(amount));
  const cells = layers.flatMap(({ errors }, layer) =>
    errors.map((value, i) => {
      const ratio = value / error;
      const share = Math.log(Math.max(1, ratio)) / Math.log(fullOpacity);
      return {
        row: names[layer]!,
        column: columns[i]!,
        share: Number.isFinite(share) ? Math.min(1, share) : 1,
        text: Number.isFinite(ratio) ? `${ratio < 10 ? ratio.toFixed(2) : ratio.toPrecision(3)}×` : "∞",
      };
    }),
  );
  return chart(
    "Sensitivity of layers",
    section,
    `Validation MSE when this share of only this layer's weights is masked, smallest first, without fine-tuning; relative to the whole model's (${formatError(error)}).`,
    heatMap(names, [{ title: "share of the layer's weights masked", columns, cells }], {
      color: palette[1]!.light,
      step: 58,
    }),
  );
}
