export { readCheckpoint } from "./checkpoint.ts";
export { roundToFloat16 } from "./float16.ts";
export { decodeModel } from "./model/decode.ts";
export { decodeModelOnDemand } from "./model/decode-on-demand.ts";
export { type EncodeOptions, encodeModel } from "./model/model-file.ts";
export { type OnnxImportOptions, readOnnx } from "./onnx/import/read.ts";
export { metadataKeys, type PrunedMetadata } from "./onnx/metadata.ts";
export { type OnnxOptions, writeOnnx } from "./onnx/write.ts";
export { type PytorchCheckpoint, readPytorch } from "./pytorch/checkpoint.ts";
export {
  type RawBytes,
  readSafetensors,
  type Safetensors,
  writeSafetensors,
} from "./safetensors/safetensors.ts";
export { type TfjsOptions, writeTfjs } from "./tfjs/graph-model.ts";
