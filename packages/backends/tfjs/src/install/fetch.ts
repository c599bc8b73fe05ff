import { existsSync } from "node:fs";
import { mkdir, readdir, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { EspalierError } from "@espalier/core";
import { complaint, type RunOptions, type RunResult, runProgram } from "./process.ts";

/** The default wheel to take libtensorflow from: tested with the addon's sources. */
export const wheelVersion = "2.21.0";

const byHand = "Give --wheel FILE, a tensorflow_cpu wheel for Linux that was downloaded elsewhere.";

export interface DownloadOptions extends RunOptions {
  /** Called from time to time with the number of bytes received. */
  readonly onBytes?: (bytes: number) => void;
}

/**
 * Downloads the wheel with pip into a folder, and returns its path. Uses the index that pip is configured for, and its
 * checksums.
 */
export async function downloadWheel(folder: string, { signal, onBytes }: DownloadOptions): Promise<string> {
  await mkdir(folder, { recursive: true });
  // The library is the same for every Python, so pip is given a version that certainly has a wheel.
  const machine = process.arch === "arm64" ? "aarch64" : "x86_64";
  const args = [
    ...["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"],
    ...["--implementation", "cp", "--python-version", "3.11"],
    ...["manylinux_2_27", "manylinux_2_17", "manylinux2014"].flatMap((tag) => [
      "--platform",
      `${tag}_${machine}`,
    ]),
    ...["--dest", folder, `tensorflow-cpu==${wheelVersion}`],
  ];
  const watch = setInterval(() => void sizeOf(folder).then((bytes) => onBytes?.(bytes)), 500);
  let result: RunResult | undefined;
  try {
    result = await runProgram("python3", args, { signal });
  } finally {
    clearInterval(watch);
  }
  if (result === undefined)
    throw new EspalierError(`tensorflow: no python3 to download tensorflow-cpu with. ${byHand}`);
  const wheel = (await readdir(folder)).find((name) => name.endsWith(".whl"));
  if (result.code !== 0 || wheel === undefined) {
    throw new EspalierError(
      `tensorflow: pip cannot download tensorflow-cpu ${wheelVersion} (${complaint(result)}). ${byHand}`,
    );
  }
  return join(folder, wheel);
}

async function sizeOf(folder: string): Promise<number> {
  const files = await readdir(folder).catch(() => []);
  const sizes = await Promise.all(files.map((file) => stat(join(folder, file)).catch(() => ({ size: 0 }))));
  return sizes.reduce((sum, { size }) => sum + size, 0);
}

/**
 * The folder of a version of @tensorflow/tfjs-node: where it is installed (its scripts need not have run), else
 * downloaded from npm and unpacked into `folder`. Its dependencies are not needed.
 */
export async function findSources(version: string, folder: string, options: RunOptions): Promise<string> {
  const installed = installedSources(version);
  if (installed !== undefined) return installed;
  await mkdir(folder, { recursive: true });
  const wanted = `@tensorflow/tfjs-node@${version}`;
  const packed = await runProgram("npm", ["pack", "--silent", "--ignore-scripts", wanted], {
    ...options,
    cwd: folder,
  });
  const archive = (await readdir(folder)).find((name) => name.endsWith(".tgz"));
  if (packed === undefined || packed.code !== 0 || archive === undefined) {
    const why = packed === undefined ? "npm is not installed" : complaint(packed);
    throw new EspalierError(
      `tensorflow: npm cannot fetch ${wanted} (${why}). On a machine that can: npm install --ignore-scripts ${wanted}`,
    );
  }
  const unpacked = await runProgram("tar", ["-xzf", archive, "--no-same-owner"], { ...options, cwd: folder });
  const root = join(folder, "package");
  if (unpacked?.code !== 0 || !existsSync(join(root, "binding")))
    throw new EspalierError(`tensorflow: ${archive} from npm cannot be unpacked.`);
  return root;
}

function installedSources(version: string): string | undefined {
  try {
    const require = createRequire(import.meta.url);
    const manifest = require.resolve("@tensorflow/tfjs-node/package.json");
    const found = (require(manifest) as { version: string }).version === version;
    return found && existsSync(join(dirname(manifest), "binding")) ? dirname(manifest) : undefined;
  } catch {
    return undefined;
  }
}
