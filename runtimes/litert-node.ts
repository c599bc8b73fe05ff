import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import vm from "node:vm";
import { type Litert, type LitertModel, openLitert } from "./litert.ts";

const require = createRequire(import.meta.url);
const main = require.resolve("@litertjs/core");
/** The folder of LiteRT's WebAssembly, for engines with 128-bit SIMD. */
export const litertFolder: string = join(dirname(main), "../wasm");
export const litertVersion: string = JSON.parse(
  readFileSync(join(dirname(main), "../package.json"), "utf8"),
).version;

/** LiteRT.js in Node. It is made for pages, and loads its engine by a script: that script is run here. */
async function load(): Promise<Litert> {
  const script = join(litertFolder, "litert_wasm_internal.js");
  const page = globalThis as unknown as Record<string, unknown>;
  page.self = globalThis;
  Object.assign(page, { require, __filename: script, __dirname: litertFolder });
  page.importScripts = () =>
    vm.runInThisContext(`${readFileSync(script, "utf8")};globalThis.ModuleFactory = ModuleFactory;`);
  page.Module = {
    wasmBinary: readFileSync(join(litertFolder, "litert_wasm_internal.wasm")),
    print() {},
    printErr() {},
  };
  // It says that there is no GPU.
  const { warn, error } = console;
  console.warn = console.error = () => {};
  try {
    const runtime = await import("@litertjs/core");
    await runtime.loadLiteRt(litertFolder, { threads: false });
    return runtime;
  } finally {
    Object.assign(console, { warn, error });
  }
}

let runtime: Promise<Litert> | undefined;

/** LiteRT.js in this process, loaded once. */
export function litertInNode(): Promise<Litert> {
  runtime ??= load();
  return runtime;
}

/** A file in LiteRT: all outputs by name, and whether its fast engine (XNNPACK) runs all of it. */
export async function withLiteRt<T>(
  file: Uint8Array,
  use: (run: LitertModel["run"], model: LitertModel["model"]) => Promise<T>,
): Promise<T> {
  const { model, run, dispose } = await openLitert(await litertInNode(), file);
  try {
    return await use(run, model);
  } finally {
    dispose();
  }
}
