import { EspalierError } from "@espalier/core";
import { findGpu, provideNavigatorGpu } from "@espalier/webgpu-device";
import type { Kind, RuntimeOptions } from "./options.ts";
import { load } from "./packages.ts";
import type { Tf } from "./tensorflow-js.ts";

/** Name of a kind among all backends. */
export function nameOf(kind: Kind): string {
  return kind === "tensorflow" ? kind : `tfjs-${kind}`;
}

let loading: Promise<Tf> | undefined;

/** TensorFlow.js, loaded once on first use. */
export function loadTf(): Promise<Tf> {
  loading ??= load("@tensorflow/tfjs").then((module) => {
    const tf = ("default" in module ? module.default : module) as Tf;
    // It logs an advertisement for another package when its pure JavaScript backend is first used in Node.
    tf.env().set("IS_TEST", true);
    return tf;
  });
  return loading;
}

const ready = new Map<Kind, Promise<void>>();

/** Makes a backend the current one; its first use loads it. Throws an EspalierError if that fails. */
export async function activate(kind: Kind, options: RuntimeOptions): Promise<Tf> {
  const tf = await loadTf();
  let loading = ready.get(kind);
  if (loading === undefined) {
    loading = prepare(tf, kind, options);
    ready.set(kind, loading);
    // A missing package may be installed before the next attempt.
    loading.catch(() => ready.delete(kind));
  }
  await loading;
  if (tf.getBackend() !== kind && !(await tf.setBackend(kind))) {
    throw new EspalierError(`backend ${nameOf(kind)}: TensorFlow.js could not start it.`);
  }
  return tf;
}

async function prepare(tf: Tf, kind: Kind, options: RuntimeOptions): Promise<void> {
  if (kind === "wasm") await prepareWasm(options);
  if (kind === "webgpu") await prepareWebGpu();
  if (kind === "tensorflow") await prepareTensorflow(tf, options);
}

async function prepareTensorflow(tf: Tf, { cache }: RuntimeOptions): Promise<void> {
  if (!inNode()) throw new EspalierError("libtensorflow only runs in Node.");
  const { loadTensorflow } = await import("./tensorflow/load.ts");
  await loadTensorflow(tf, cache);
}

export function inNode(): boolean {
  return typeof process !== "undefined" && process.versions?.node !== undefined;
}

/** Its package looks for `navigator.gpu` while it loads. */
async function prepareWebGpu(): Promise<void> {
  const found = await findGpu();
  if ("missing" in found) throw new EspalierError(found.missing);
  provideNavigatorGpu(found);
  await load("@tensorflow/tfjs-backend-webgpu");
}

async function prepareWasm({ wasmPath }: RuntimeOptions): Promise<void> {
  const wasm = await load("@tensorflow/tfjs-backend-wasm");
  const { setWasmPaths } = ("default" in wasm ? wasm.default : wasm) as typeof wasm;
  const folder = wasmPath ?? (await wasmFolder());
  if (folder !== undefined) setWasmPaths(folder);
}

/** Path of the package in Node; in a page, the bundler finds the files or the user gives their place. */
async function wasmFolder(): Promise<string | undefined> {
  if (!inNode()) return undefined;
  const { createRequire } = await import("node:module");
  const file = createRequire(import.meta.url).resolve(
    "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm",
  );
  return file.slice(0, Math.max(file.lastIndexOf("/"), file.lastIndexOf("\\")) + 1);
}

let queue: Promise<unknown> = Promise.resolve();

/** Runs one task after the other: TensorFlow.js has one current backend per process. */
export function exclusively<T>(run: () => Promise<T>): Promise<T> {
  const result = queue.then(run);
  queue = result.catch(() => undefined);
  return result;
}
