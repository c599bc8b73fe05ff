export type { Tiling } from "./compile/lowering.ts";
export { type WebGpuOptions, webgpu } from "./webgpu.ts";
