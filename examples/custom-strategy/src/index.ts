export { plugin, type SlimmingOptions, slimming } from "./slimming.ts";
