/** What running a model calls, without training. Kernels take pointers and counts; what they need beside their operands is passed in. */
export { attention } from "./attention";
export { dense, packPanels, panelRows, product } from "./dense";
export { affine, binary, unary } from "./elementwise";
export { fill, gather, reduce, transposed } from "./layout";
export { sparsePairs, sparsePairStrips, sparseQuads, sparseRows, sparseRowStrips } from "./micro-kernels";
export { foldStatistics, layerNorm } from "./normalization";
export { pool } from "./pooling";
export { cumulativeSum, topK } from "./ranking";
export { softmaxLanes, softmaxRows } from "./softmax";
export { countBlocks, fillBlocks, firstNonFinite, gatherValues, opensMask } from "./sparse";
export { random } from "./training";

/** Where memory that no constant occupies begins. */
export function heapBase(): usize {
  return __heap_base;
}
