import { chmod, copyFile, cp, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { bundleProgram } from "./bundle.ts";
import { runTool } from "./tool.ts";

/** Paths of the Vulkan loader on common systems, and of Chromium's own. */
const loaders = [
  "/usr/lib/x86_64-linux-gnu/libvulkan.so.1",
  "/usr/lib64/libvulkan.so.1",
  "/usr/lib/libvulkan.so.1",
  "/usr/lib/chromium/libvulkan.so.1",
];

const readme = `Espalier on a GPU

    ./run                     conformance, then forecasts of ten models, dense and pruned: about 15 minutes
    ./run --preset small      tries everything out, in sizes that say nothing
    ./run --help              the rest

Nothing is installed, nothing is fetched. It needs Linux on x64 (glibc 2.34 or newer) and the GPU's Vulkan driver. The
result, espalier-gpu.json, is drawn in a clone of Espalier: pnpm bench:peers --from espalier-gpu.json --out report
`;

/** Plain sh, which needs nothing in its PATH. */
const runScript = `#!/bin/sh
here=\${0%/*}
[ "$here" = "$0" ] && here=.
exec "$here/node" "$here/app/main.mjs" "$@"
`;

/** Lays out what is packed; `note` is told what is missing on this machine. */
export async function stage(folder: string, note: (line: string) => void = () => {}): Promise<void> {
  await mkdir(join(folder, "lib"), { recursive: true });
  await bundleProgram(join(folder, "app"));
  await copyFile(process.execPath, join(folder, "node"));
  const dawn = await copyDawn(join(folder, "app/node_modules/webgpu"));
  const loader = await firstFile(loaders);
  if (loader !== undefined) await copyFile(loader, join(folder, "lib/libvulkan.so.1"));
  else note("without a Vulkan loader: none on this machine (apt-get install libvulkan1)");
  await writeFile(join(folder, "run"), runScript);
  await chmod(join(folder, "run"), 0o755);
  await writeFile(join(folder, "README.txt"), readme);
  const versions = { ...(await espalierVersions()), webgpu: dawn };
  await writeFile(join(folder, "manifest.json"), `${JSON.stringify({ versions }, null, 2)}\n`);
}

/** npm's `webgpu` with the addon of this platform alone. Gives its version. */
async function copyDawn(to: string): Promise<string> {
  const device = createRequire(import.meta.resolve("@espalier/webgpu-device"));
  const from = dirname(device.resolve("webgpu/package.json"));
  for (const name of ["package.json", "index.js", "LICENSE.md"]) await cp(join(from, name), join(to, name));
  await cp(join(from, "dist/linux-x64"), join(to, "dist/linux-x64"), { recursive: true });
  return (JSON.parse(await readFile(join(to, "package.json"), "utf8")) as { version: string }).version;
}

async function firstFile(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if ((await stat(path).catch(() => undefined))?.isFile()) return path;
  return undefined;
}

async function espalierVersions(): Promise<Record<string, string>> {
  const own = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  const tfjs = createRequire(import.meta.resolve("@espalier/backend-tfjs"));
  const { version } = JSON.parse(await readFile(tfjs.resolve("@tensorflow/tfjs/package.json"), "utf8")) as {
    version: string;
  };
  const commit = await runTool("git", ["rev-parse", "HEAD"]).catch(() => undefined);
  return {
    espalier: own.version,
    "@tensorflow/tfjs": version,
    ...(commit === undefined ? {} : { commit: commit.trim() }),
  };
}
