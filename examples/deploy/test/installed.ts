import { cpSync, existsSync, globSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** Packages that `@espalier/forecaster` brings. */
const packages = [
  "packages/core",
  "packages/formats",
  "packages/backends/wasm",
  "packages/forecaster",
  "datasets",
];

/** A folder's `node_modules` as `npm install @espalier/forecaster` would leave it, made of the sources as they are. */
export function installForecaster(folder: string): void {
  const modules = join(folder, "node_modules");
  for (const path of packages) {
    const from = join(root, path);
    const manifest = JSON.parse(readFileSync(join(from, "package.json"), "utf8"));
    const to = join(modules, manifest.name);
    mkdirSync(to, { recursive: true });
    writeFileSync(join(to, "package.json"), JSON.stringify(withoutSources(manifest)));
    for (const file of globSync("**/*.ts", { cwd: join(from, "src") })) {
      const code = stripTypeScriptTypes(readFileSync(join(from, "src", file), "utf8"));
      const target = join(to, "dist", file.replace(/ts$/, "js"));
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, code.replaceAll(/((?:from|import)[ (]\s*"\.[^"]*)\.ts"/g, '$1.js"'));
    }
    if (existsSync(join(from, "kernels")))
      cpSync(join(from, "kernels"), join(to, "kernels"), { recursive: true });
    for (const name of Object.keys(manifest.dependencies ?? {})) {
      const link = join(modules, name);
      if (name.startsWith("@espalier/") || existsSync(link)) continue;
      mkdirSync(dirname(link), { recursive: true });
      symlinkSync(join(from, "node_modules", name), link, "junction");
    }
  }
}

/** Published packages hold no sources, so bundlers cannot resolve the source condition. */
function withoutSources(manifest: { exports: Record<string, string | Record<string, string>> }) {
  const exports = Object.entries(manifest.exports).map(([entry, target]) => {
    if (typeof target === "string") return [entry, target];
    const { default: file } = target;
    return [entry, file];
  });
  return { ...manifest, exports: Object.fromEntries(exports) };
}
