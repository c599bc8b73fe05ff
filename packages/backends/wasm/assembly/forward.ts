/** Kernels for running a model, without training. They take pointers and counts; scratch memory is passed in. */
export { attention } from "./attention";
export { dense, denseToken, packPanels, panelRows, product } from "./dense";
export { affine, binary, unary } from "./elementwise";
export { fill, gather, reduce, transposed } from "./layout";
export { sparsePairs, sparsePairStrips, sparseQuads, sparseRows, sparseRowStrips } from "./micro-kernels";
export { foldStatistics, layerNorm } from "./normalization";
export { averageRows, pool } from "./pooling";
export { cumulativeSum, topK } from "./ranking";
export { softmaxLanes, softmaxRows } from "./softmax";
export { countBlocks, fillBlocks, firstNonFinite, gatherValues, opensMask } from "./sparse";
export { random } from "./training";

/** Start of the memory after the constants. */
export function heapBase(): usize {
  return __heap_base;
}
