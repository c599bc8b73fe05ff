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

/**
 * Where `espalier backends install tensorflow` puts everything: a folder of the cache, which `ESPALIER_CACHE` names, else
 * of the system's folder for caches.
 */
export function tensorflowFolder(cache?: string): string {
  const folder = cache ?? (process.env.ESPALIER_CACHE || envPaths("espalier", { suffix: "" }).cache);
  return join(resolve(folder), "backends", "tensorflow");
}
