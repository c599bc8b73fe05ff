export * from "./inference.ts";
export * from "./training-patterns.ts";
