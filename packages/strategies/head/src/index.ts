export { type HeadOptions, head, plugin } from "./head.ts";
