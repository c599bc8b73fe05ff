export { readCheckpoint } from "./checkpoint.ts";
export { decodeModel } from "./model/decode.ts";
export { decodeModelOnDemand } from "./model/decode-on-demand.ts";
export { type EncodeOptions, encodeModel } from "./model/model-file.ts";
export { roundWeights, type StoredWeights } from "./model/stored-weights.ts";
export { type OnnxImportOptions, readOnnx } from "./onnx/import/read.ts";
export { metadataKeys, type PrunedMetadata } from "./onnx/metadata.ts";
export { type OnnxOptions, writeOnnx } from "./onnx/write.ts";
export { type PytorchCheckpoint, readPytorch } from "./pytorch/checkpoint.ts";
export {
  type RawBytes,
  type RawNumbers,
  readSafetensors,
  type Safetensors,
  writeSafetensors,
} from "./safetensors/safetensors.ts";
export { type TfjsOptions, writeTfjs } from "./tfjs/graph-model.ts";
export { type TfliteOptions, writeTflite } from "./tflite/write.ts";
