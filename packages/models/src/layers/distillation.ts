import { type Builder, elu, maxPool, swapAxes, type Value } from "@espalier/core/graph";
import { circularConvolution } from "./convolution.ts";
import { channelNorm } from "./norm.ts";

/**
 * Halves the rows between two layers of Informer's encoder (Zhou et al., AAAI 2021): convolution, batch normalisation,
 * ELU and max pooling over time. x [N, L, width] → [N, ⌈(L + 2) ÷ 2⌉, width]: the library pads the convolution by 2.
 */
export function distillation(b: Builder, name: string, x: Value): Value {
  const layer = b.scope(name);
  const width = x.shape.at(-1) as number;
  const mixed = circularConvolution(layer, "downConv", x, width, { padding: 2, bias: true });
  const active = elu(layer, channelNorm(layer, "norm", swapAxes(layer, mixed, 1, 2)));
  return swapAxes(layer, maxPool(layer, active, 2, { kernel: 3, stride: 2, before: 1, after: 1 }), 1, 2);
}
