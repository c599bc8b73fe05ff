export { type DepthOptions, depth, plugin } from "./depth.ts";
