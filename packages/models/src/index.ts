export { type AutoformerOptions, autoformer } from "./autoformer.ts";
export { type CrossformerOptions, crossformer } from "./crossformer.ts";
export { type DLinearOptions, dLinear } from "./d-linear.ts";
export { type FEDformerOptions, fedformer } from "./fedformer.ts";
export { fromHuggingFaceConfig, type HuggingFaceModel } from "./hugging-face.ts";
export { type HuggingFacePatchTSTOptions, huggingFacePatchTST } from "./hugging-face-patch-tst.ts";
export { type ITransformerOptions, iTransformer } from "./i-transformer.ts";
export { type InferredOptions, inferOptions } from "./infer-options.ts";
export { type InformerOptions, informer } from "./informer.ts";
export {
  type NonstationaryTransformerOptions,
  nonstationaryTransformer,
} from "./nonstationary-transformer.ts";
export { type PatchTSTOptions, patchTST } from "./patch-tst.ts";
export { findModel, models } from "./registry.ts";
export { type SedimarkCrossformerOptions, sedimarkCrossformer } from "./sedimark-crossformer.ts";
export { fromOriginalConfig } from "./time-series-library.ts";
export { type TimeXerOptions, timeXer } from "./time-xer.ts";
export { type TransformerOptions, transformer } from "./transformer.ts";
