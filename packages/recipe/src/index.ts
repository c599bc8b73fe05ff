export { recipeJsonSchema } from "./format/json-schema.ts";
export { drawingOf, type ReadRecipe, readRecipe, wholeStrategy } from "./format/read.ts";
export { type DrawnModel, type Recipe, recipeSchema } from "./format/schema.ts";
export { targetSchema, targetShares } from "./format/target.ts";
export { formatRecipe } from "./format/write.ts";
export { drawModel, optionError } from "./registry/draw.ts";
export { type Registry, type RegistryParts, registryOf } from "./registry/registry.ts";
export { standardStrategies } from "./registry/strategies.ts";
export { type UseConfig, useSchema } from "./registry/use.ts";
