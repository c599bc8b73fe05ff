import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import util from "node:util";
import { EspalierError } from "@espalier/core";
import type { KernelBackend } from "@tensorflow/tfjs";
import type { Tf } from "../tensorflow-js.ts";
import { names, tensorflowFolder } from "./location.ts";
import { type InstallRecord, platform, readRecord } from "./record.ts";

/** Under this name, the installed kernels find the TensorFlow.js that this process already uses. */
export const sharedTfjs = "espalier.tfjs";

export const installCommand = "espalier backends install tensorflow";

/** Functions of Node's `util` that its kernels call: Node 23 took the first away, and warns of the second. */
const removed = {
  isNullOrUndefined: (value: unknown) => value === null || value === undefined,
  isArray: Array.isArray,
};

interface KernelModule {
  readonly NodeJSKernelBackend: new (addon: unknown, packageName: string) => KernelBackend;
}

/**
 * Registers libtensorflow as TensorFlow.js's `tensorflow` backend: the installation of `espalier backends install
 * tensorflow`, else the package @tensorflow/tfjs-node if its own installation works. Throws an EspalierError that says
 * what is missing.
 */
export async function loadTensorflow(tf: Tf, cache?: string): Promise<void> {
  Object.assign(util, removed);
  const folder = tensorflowFolder(cache);
  const record = await readRecord(folder);
  if (record === undefined) loadPackage();
  else loadInstalled(tf, folder, record);
}

function loadInstalled(tf: Tf, folder: string, record: InstallRecord): void {
  const { tfjsNode } = record.versions;
  if (record.platform !== platform() || tfjsNode !== tf.version_core) {
    throw new EspalierError(
      `libtensorflow in ${folder} is for ${record.platform} and TensorFlow.js ${tfjsNode}, not ${platform()} and ${tf.version_core}: ${installCommand} --force`,
    );
  }
  (globalThis as Record<symbol, unknown>)[Symbol.for(sharedTfjs)] = tf;
  try {
    const require = createRequire(join(folder, names.record));
    const quiet = require(join(folder, names.quiet)) as { mute(): void; unmute(): void };
    let addon: unknown;
    quiet.mute();
    try {
      addon = require(join(folder, names.addon));
    } finally {
      quiet.unmute();
    }
    const { NodeJSKernelBackend } = require(
      join(folder, names.package, "dist/nodejs_kernel_backend.js"),
    ) as KernelModule;
    require(join(folder, names.package, "dist/register_all_kernels.js"));
    tf.registerBackend("tensorflow", () => new NodeJSKernelBackend(addon, "@tensorflow/tfjs-node"));
  } catch (error) {
    throw new EspalierError(
      `libtensorflow in ${folder} does not load: ${firstLine(error)}: ${installCommand} --force`,
    );
  }
}

/**
 * The package as installed by its own installer, next to this one; it registers itself while it loads. It is not a
 * dependency, not even an optional one: package managers would download it, with dozens of others, for everybody.
 */
function loadPackage(): void {
  const require = createRequire(import.meta.url);
  let entry: string;
  try {
    entry = require.resolve("@tensorflow/tfjs-node");
  } catch {
    throw new EspalierError(`libtensorflow is missing: ${installCommand}`);
  }
  try {
    require(entry);
  } catch (error) {
    const built = existsSync(join(entry, "../../lib"));
    const why = built ? `does not load: ${firstLine(error)}` : "has no native addon for this Node";
    throw new EspalierError(`package @tensorflow/tfjs-node ${why}: ${installCommand}`);
  }
}

function firstLine(error: unknown): string {
  return `${(error as Error).message}`.split("\n")[0]!;
}
