export { openSearch } from "./folder-store.ts";
