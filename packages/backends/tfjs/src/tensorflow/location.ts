import { join, resolve } from "node:path";
import envPaths from "env-paths";

/** Names below the folder of an installation. */
export const names = {
  record: "installed.json",
  addon: "lib/tfjs_binding.node",
  quiet: "lib/quiet.node",
  libraries: "lib",
  package: "node_modules/@tensorflow/tfjs-node",
  tfjs: ["node_modules/@tensorflow/tfjs", "node_modules/@tensorflow/tfjs-core"],
} as const;

/** The folder of `espalier backends install tensorflow`: in `ESPALIER_CACHE`, else in the system's folder for caches. */
export function tensorflowFolder(cache?: string): string {
  const folder = cache ?? (process.env.ESPALIER_CACHE || envPaths("espalier", { suffix: "" }).cache);
  return join(resolve(folder), "backends", "tensorflow");
}
