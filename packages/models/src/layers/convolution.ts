import {
  add,
  type Builder,
  concat,
  type Initializer,
  matMul,
  normal,
  pad,
  reshape,
  slice,
  transpose,
  uniformFanIn,
  type Value,
} from "@espalier/core/graph";

const kernel = 3;

export interface ConvolutionOptions {
  /** Number of rows taken from the other end on each side; 1 keeps the length. */
  readonly padding?: number;
  readonly bias?: boolean;
  readonly initializer?: Initializer;
}

/**
 * `nn.Conv1d` with kernel 3 and circular padding over time, of channels-last x [N, L, C] → [N, L + 2·padding − 2, to];
 * its weight is stored as [to, C, 3]. Drawn as one product of three shifted copies side by side, which has the FLOPs of
 * a convolution and whose gradient consists of products too.
 */
export function circularConvolution(
  b: Builder,
  name: string,
  x: Value,
  to: number,
  options: ConvolutionOptions = {},
): Value {
  const { padding = 1, bias = false } = options;
  const [, length, from] = x.shape as [unknown, number, number];
  const layer = b.scope(name);
  const fanIn = kernel * from;
  const ring = pad(layer, x, 1, padding, padding, "wrap");
  const rows = length + 2 * padding - kernel + 1;
  const shifted = Array.from({ length: kernel }, (_, tap) => slice(layer, ring, 1, tap, tap + rows));
  const weight = layer.parameter("weight", [to, from, kernel], options.initializer ?? uniformFanIn(fanIn));
  const matrix = reshape(layer, transpose(layer, weight, [2, 1, 0]), [fanIn, to]);
  const product = matMul(layer, concat(layer, shifted, 2), matrix);
  return bias ? add(layer, product, layer.parameter("bias", [to], uniformFanIn(fanIn))) : product;
}

/** Normal with variance 2 ÷ fan-in (He et al., ICCV 2015), the initialisation of token embeddings. */
export function kaimingNormal(fanIn: number): Initializer {
  const deviation = Math.sqrt(2 / fanIn);
  return (shape, random) => normal(shape, random).map((value) => deviation * value);
}
