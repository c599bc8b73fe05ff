export { relativeImportance } from "./relative-importance.ts";
