export * from "./masking.ts";
export * from "./models.ts";
