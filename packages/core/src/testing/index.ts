export * from "./backends.ts";
export * from "./check.ts";
export * from "./dimensions.ts";
export * from "./masking.ts";
export * from "./models.ts";
export * from "./operator-cases.ts";
export * from "./operators.ts";
export * from "./strategies.ts";
