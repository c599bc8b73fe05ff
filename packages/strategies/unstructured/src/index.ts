export { plugin, type UnstructuredOptions, unstructured } from "./unstructured.ts";
