import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join, relative } from "node:path";
import { EspalierError } from "@espalier/core";
import { NotAdded } from "../packages.ts";
import { names, tensorflowFolder } from "../tensorflow/location.ts";
import { type InstallRecord, platform, readRecord } from "../tensorflow/record.ts";
import { tryInstallation } from "./attempt.ts";
import { buildAddons, findCompiler } from "./build.ts";
import { downloadWheel, findSources } from "./fetch.ts";
import { copyKernels } from "./kernels.ts";
import { besides, replace, sweepAway } from "./staging.ts";
import { takeFromWheel } from "./wheel.ts";

/** Progress of an installation. */
export interface InstallProgress {
  /** The current activity, for users. */
  readonly label: string;
  /** Overall progress from 0 to 1, by the time that each part takes. */
  readonly share: number;
  readonly bytes?: number;
}

/** Source and target of an installation. */
export interface InstallOptions {
  /** A `tensorflow-cpu` wheel for Linux; downloaded by pip by default. */
  readonly wheel?: string | undefined;
  /** The cache folder; by default `ESPALIER_CACHE`, else the system's folder for caches. */
  readonly cache?: string | undefined;
  /** Replaces a working installation. */
  readonly force?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called with the progress. */
  readonly onProgress?: ((progress: InstallProgress) => void) | undefined;
}

/** The installation that was made or found. */
export interface Installed {
  readonly folder: string;
  readonly record: InstallRecord;
  /** False if it already existed and works. */
  readonly changed: boolean;
}

/**
 * Sets up the `tensorflow` backend where the installer of @tensorflow/tfjs-node cannot: takes libtensorflow from a
 * wheel, compiles the addon and tries it, all in a folder of the cache. The folder is written atomically. Throws an
 * EspalierError that says what is missing; the signal's reason after an abort.
 */
export async function installTensorflow(options: InstallOptions = {}): Promise<Installed> {
  if (process.platform !== "linux" || !["x64", "arm64"].includes(process.arch))
    throw new EspalierError(`tensorflow: can only be installed on Linux (x64, arm64), not on ${platform()}.`);
  const folder = tensorflowFolder(options.cache);
  const found = options.force ? undefined : await working(folder, options);
  if (found !== undefined) return { folder, record: found, changed: false };
  await mkdir(dirname(folder), { recursive: true });
  await sweepAway(folder);
  const part = besides(folder, "part");
  try {
    await mkdir(part);
    const record = await make(part, options);
    options.signal?.throwIfAborted();
    await replace(part, folder);
    return { folder, record, changed: true };
  } finally {
    await rm(part, { recursive: true, force: true });
  }
}

/** Removes the installation and returns the number of freed bytes; undefined if nothing is installed. */
export async function uninstallTensorflow(
  cache?: string,
): Promise<{ folder: string; bytes: number } | undefined> {
  const folder = tensorflowFolder(cache);
  await sweepAway(folder);
  if ((await stat(folder).catch(() => undefined)) === undefined) return undefined;
  const bytes = (await filesOf(folder)).reduce((sum, file) => sum + file.bytes, 0);
  const old = besides(folder, "old");
  // Rename it first: half an installation must not be found.
  await rename(folder, old);
  await rm(old, { recursive: true, force: true });
  return { folder, bytes };
}

/** The record of a working installation for this process. */
async function working(folder: string, { signal }: InstallOptions): Promise<InstallRecord | undefined> {
  const record = await readRecord(folder).catch(() => undefined);
  const fits = record?.platform === platform() && record.versions.tfjsNode === tfjsVersion();
  if (record === undefined || !fits) return undefined;
  return tryInstallation(folder, { signal }).then(
    () => record,
    () => {
      signal?.throwIfAborted();
      return undefined;
    },
  );
}

async function make(part: string, options: InstallOptions): Promise<InstallRecord> {
  const { signal, onProgress } = options;
  const tfjsNode = tfjsVersion();
  const build = join(part, "build");
  const tell = (label: string, share: number, bytes?: number) =>
    onProgress?.({ label, share, ...(bytes === undefined ? {} : { bytes }) });
  const compiler = await findCompiler({ signal });
  tell("download tensorflow-cpu", 0);
  const onBytes = (bytes: number) => tell("download tensorflow-cpu", Math.min(0.4, bytes / 7e8), bytes);
  const wheel = options.wheel ?? (await downloadWheel(join(build, "wheel"), { signal, onBytes }));
  const whole = await stat(wheel).catch(() => undefined);
  if (!whole?.isFile()) throw new EspalierError(`wheel ${wheel}: no such file.`);
  const targets = { libraries: join(part, names.libraries), headers: join(build, "include") };
  const taken = await takeFromWheel(wheel, targets, {
    signal,
    onProgress: (done, total) => tell("take libtensorflow out", 0.4 + (0.3 * done) / total, done),
  });
  tell("fetch tfjs-node", 0.7);
  const sources = await findSources(tfjsNode, join(build, "npm"), { signal });
  tell("compile the addons", 0.72);
  await buildAddons(compiler, { sources, ...targets, libraryNames: taken.libraries }, { signal });
  await copyKernels(sources, part);
  tell("try it", 0.85);
  const tensorflow = await tryInstallation(part, { signal });
  tell("checksums", 0.9);
  const record: InstallRecord = {
    format: 1,
    date: new Date().toISOString(),
    platform: platform(),
    versions: { tensorflow, tfjsNode },
    compiler: compiler.about,
    wheel: { name: basename(wheel), bytes: whole.size, sha256: await checksum(wheel) },
    files: await inventory(part, build),
  };
  await rm(build, { recursive: true });
  await writeFile(join(part, names.record), `${JSON.stringify(record, null, 2)}\n`);
  tell("done", 1);
  return record;
}

/** The TensorFlow.js that runs here; the kernels must have the same version. */
function tfjsVersion(): string {
  const require = createRequire(import.meta.url);
  try {
    return (require("@tensorflow/tfjs/package.json") as { version: string }).version;
  } catch {
    throw new NotAdded("@tensorflow/tfjs");
  }
}

async function inventory(part: string, without: string): Promise<InstallRecord["files"]> {
  const files = (await filesOf(part)).filter(({ path }) => !path.startsWith(without));
  const entries: [string, { bytes: number; sha256: string }][] = [];
  for (const { path, bytes } of files)
    entries.push([relative(part, path), { bytes, sha256: await checksum(path) }]);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function filesOf(folder: string): Promise<{ path: string; bytes: number }[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return Promise.all(
    files.map(async ({ parentPath, name }) => {
      const path = join(parentPath, name);
      return { path, bytes: (await stat(path)).size };
    }),
  );
}

async function checksum(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path, { highWaterMark: 2 ** 20 })) hash.update(piece);
  return hash.digest("hex");
}
