import type * as TensorFlow from "@tensorflow/tfjs";

/** The module. */
export type Tf = typeof TensorFlow;
export type Tensor = TensorFlow.Tensor;
export type Tensor1D = TensorFlow.Tensor1D;
export type Tensor2D = TensorFlow.Tensor2D;
