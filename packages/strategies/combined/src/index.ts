export { type CombinedOptions, combined, plugin } from "./combined.ts";
