export type { TfjsOptions } from "./options.ts";
export { tfjs } from "./tfjs.ts";
