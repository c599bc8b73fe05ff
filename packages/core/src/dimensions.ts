/** Inference of dimensions: which axes of which tensors belong together. */
export type * from "./dimensions/coupling.ts";
export type { Dimension, Dimensions, Member } from "./dimensions/dimensions.ts";
export { dimensionsIn, type Expression, extentOf } from "./dimensions/expression.ts";
export { inferDimensions, type KnownAxes } from "./dimensions/infer.ts";
export { originalPositions } from "./dimensions/original.ts";
export { unshareRepeats } from "./dimensions/unshare.ts";
