import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

let known: Readonly<Record<string, string>> | undefined;

/** Versions of Espalier and of the packages that compute and measure for it. */
export function packageVersions(): Readonly<Record<string, string>> {
  known ??= readVersions();
  return known;
}

function readVersions(): Record<string, string> {
  const versions: Record<string, string> = {
    espalier: versionIn(new URL("../../package.json", import.meta.url)),
  };
  // Resolved from the backend: it need not be installed next to this package.
  const backend = createRequire(import.meta.resolve("@espalier/backend-tfjs"));
  try {
    versions["@tensorflow/tfjs"] = versionIn(backend.resolve("@tensorflow/tfjs/package.json"));
  } catch (error) {
    // An optional package that is not installed.
    if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw error;
  }
  return versions;
}

function versionIn(path: string | URL): string {
  return (JSON.parse(readFileSync(path, "utf8")) as { version: string }).version;
}
