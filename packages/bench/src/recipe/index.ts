export { recipeJsonSchema } from "./json-schema.ts";
export { besideRecipe } from "./paths.ts";
export { drawingOf, type ReadRecipe, readRecipe, wholeStrategy } from "./read.ts";
export { type DrawnModel, type Recipe, recipeSchema } from "./schema.ts";
export { formatRecipe } from "./write.ts";
