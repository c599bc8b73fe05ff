export { type TfjsOptions, tfjs } from "./tfjs.ts";
