import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import vm from "node:vm";
import type { Tensors } from "@espalier/core";
import type { CompiledModel } from "@litertjs/core";

const require = createRequire(import.meta.url);
/** The folder of LiteRT's WebAssembly, for engines with 128-bit SIMD. */
export const litertFolder = join(dirname(require.resolve("@litertjs/core")), "../wasm");

/** LiteRT.js in Node. It is made for pages, and loads its engine by a script: that script is run here. */
async function load(): Promise<typeof import("@litertjs/core")> {
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

let runtime: ReturnType<typeof load> | undefined;

/** A file in LiteRT: all outputs by name, and whether its fast engine (XNNPACK) runs all of it. */
export async function withLiteRt<T>(
  file: Uint8Array,
  use: (run: (inputs: Tensors) => Promise<Tensors>, model: CompiledModel) => Promise<T>,
): Promise<T> {
  runtime ??= load();
  const { loadAndCompile, Tensor } = await runtime;
  const model = await loadAndCompile(file, { accelerator: "wasm" });
  try {
    return await use(async (inputs) => {
      const given = Object.fromEntries(
        [...inputs].map(([name, { data, shape }]) => [name, new Tensor(data, [...shape])]),
      );
      const results = Object.entries(await model.run(given));
      const outputs = results.map(([name, tensor]) => {
        const { dtype, layout } = tensor.type;
        const data = tensor.toTypedArray().slice() as Float32Array | Int32Array;
        tensor.delete();
        return [name, { dtype: dtype as "float32" | "int32", shape: [...layout.dimensions], data }] as const;
      });
      for (const tensor of Object.values(given)) tensor.delete();
      return new Map(outputs);
    }, model);
  } finally {
    model.delete();
  }
}
