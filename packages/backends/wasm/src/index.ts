export { kernelSize, type Simd } from "./modules/load.ts";
export { type WasmOptions, wasm } from "./wasm.ts";
