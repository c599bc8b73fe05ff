export * from "./operations.ts";
export * from "./patterns.ts";
export * from "./rewriting.ts";
export * from "./slots.ts";
export * from "./survey.ts";
