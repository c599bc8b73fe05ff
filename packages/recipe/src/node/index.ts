export { besideRecipe } from "./paths.ts";
