/** Everything the compiler calls. Kernels take pointers and counts; what they need beside their operands is passed in. */
export { attention } from "./attention";
export { dense, packPanels, panelRows, product } from "./dense";
export { affine, binary, unary } from "./elementwise";
export { fill, gather, reduce, transposed } from "./layout";
export { sparsePairs, sparsePairStrips, sparseQuads, sparseRows, sparseRowStrips } from "./micro-kernels";
export { batchNormGradient, batchNormTraining, foldStatistics, layerNorm, layerNormGradient, layerNormSums } from "./normalization";
export { averagePoolGradient, maxPoolGradient, pool } from "./pooling";
export { cumulativeSum, topK } from "./ranking";
export { softmaxGradientLanes, softmaxGradientRows, softmaxLanes, softmaxRows } from "./softmax";
export { countBlocks, fillBlocks, firstNonFinite, gatherValues, maskedGradient, opensMask } from "./sparse";
export { adam, adamAt, random } from "./training";

/** Where memory that no constant occupies begins. */
export function heapBase(): usize {
  return __heap_base;
}
