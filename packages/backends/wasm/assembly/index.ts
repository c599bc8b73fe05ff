/** Everything the compiler calls: what runs models, and what trains them. */
export * from "./forward";
export { batchNormGradient, batchNormTraining, layerNormGradient, layerNormSums } from "./normalization";
export { averageGradientRows, averagePoolGradient, maxPoolGradient } from "./pooling";
export { softmaxGradientLanes, softmaxGradientRows } from "./softmax";
export { maskedGradient, scatterValues } from "./sparse";
export { adam } from "./training";
