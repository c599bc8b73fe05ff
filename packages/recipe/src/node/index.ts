export { besideRecipe } from "./paths.ts";
export { RunStore } from "./run-store.ts";
