export { readCheckpoint } from "./checkpoint.ts";
export { decodeModel, type EncodeOptions, encodeModel } from "./model/model-file.ts";
export { type PytorchCheckpoint, readPytorch } from "./pytorch/checkpoint.ts";
export {
  type RawBytes,
  readSafetensors,
  type Safetensors,
  writeSafetensors,
} from "./safetensors/safetensors.ts";
export { type TfjsOptions, writeTfjs } from "./tfjs/graph-model.ts";
