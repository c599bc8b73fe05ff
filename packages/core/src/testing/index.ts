export * from "./masking.ts";
export * from "./models.ts";
export * from "./strategies.ts";
