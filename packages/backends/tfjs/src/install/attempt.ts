import { createRequire } from "node:module";
import { join } from "node:path";
import { EspalierError } from "@espalier/core";
import { sharedTfjs } from "../tensorflow/load.ts";
import { names } from "../tensorflow/location.ts";
import { complaint, type RunOptions, runProgram } from "./process.ts";

/** A product of two matrices by the addon, all kernels loaded, and the version of the library. */
const script = `
const [addon, kernels, tfjs] = process.argv.slice(1);
globalThis[Symbol.for("${sharedTfjs}")] = require(tfjs);
require(kernels);
const tf = require(addon);
const bool = (name) => ({ name, type: tf.TF_ATTR_BOOL, value: false });
const x = tf.createTensor([2, 2], tf.TF_FLOAT, Float32Array.of(1, 2, 3, 4));
const type = { name: "T", type: tf.TF_ATTR_TYPE, value: tf.TF_FLOAT };
const [y] = tf.executeOp("MatMul", [bool("transpose_a"), bool("transpose_b"), type], [x, x], 1);
process.stdout.write(JSON.stringify({ version: tf.TF_Version, product: [...tf.tensorDataSync(y.id)] }));
`;

/**
 * Tries the installation in a separate process, because an addon that does not load may crash it. Returns
 * libtensorflow's version.
 */
export async function tryInstallation(folder: string, options: RunOptions): Promise<string> {
  const kernels = join(folder, names.package, "dist/register_all_kernels.js");
  const tfjs = createRequire(import.meta.url).resolve("@tensorflow/tfjs");
  const args = ["--input-type=commonjs", "-e", script, join(folder, names.addon), kernels, tfjs];
  // A package manager's NODE_PATH would find what the installation lacks.
  const { NODE_PATH: _, ...env } = process.env;
  const result = (await runProgram(process.execPath, args, { ...options, env }))!;
  const { version, product } = parse(result.stdout);
  if (result.code === 0 && product?.join() === "7,10,15,22" && version !== undefined) return version;
  const why = result.code === 0 ? `it computes ${result.stdout.slice(0, 80)}` : complaint(result);
  throw new EspalierError(`tensorflow: the addon does not work here: ${why}`);
}

function parse(text: string): { version?: string; product?: number[] } {
  try {
    return JSON.parse(text) as { version: string; product: number[] };
  } catch {
    return {};
  }
}
