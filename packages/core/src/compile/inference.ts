/** How a backend finds what runs as one in a forecast's graph; see `@espalier/core/inference`. */

export * from "./live-node.ts";
export * from "./operations.ts";
export * from "./patterns.ts";
export * from "./rewriting.ts";
export * from "./slots.ts";
export * from "./survey.ts";
