import { EspalierError } from "@espalier/core";
import { withSharedMemory } from "./shared.ts";

/** Kernels by name, as `assembly/index.ts` exports them. */
export const kernelNames = [
  "adam",
  "adamAt",
  "affine",
  "attention",
  "averagePoolGradient",
  "batchNormGradient",
  "batchNormTraining",
  "binary",
  "countBlocks",
  "cumulativeSum",
  "dense",
  "fill",
  "fillBlocks",
  "firstNonFinite",
  "foldStatistics",
  "gather",
  "gatherValues",
  "heapBase",
  "layerNorm",
  "layerNormGradient",
  "layerNormSums",
  "maskedGradient",
  "maxPoolGradient",
  "opensMask",
  "packPanels",
  "panelRows",
  "pool",
  "product",
  "random",
  "reduce",
  "softmaxGradientLanes",
  "softmaxGradientRows",
  "softmaxLanes",
  "softmaxRows",
  "sparsePairStrips",
  "sparsePairs",
  "sparseQuads",
  "sparseRowStrips",
  "sparseRows",
  "topK",
  "transposed",
  "unary",
] as const;

export type KernelName = (typeof kernelNames)[number];
export type Kernels = Readonly<Record<KernelName, (...args: readonly number[]) => number>>;

/** `relaxed` fuses products with sums; every engine since about 2023 has it. `plain` needs 128-bit SIMD only. */
export type Simd = "relaxed" | "plain";

/** A module whose one function uses `instruction` on vectors: engines that lack it refuse the module. */
const probe = (instruction: readonly number[]) =>
  WebAssembly.validate(
    Uint8Array.of(
      ...[0, 97, 115, 109, 1, 0, 0, 0],
      ...[1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0],
      ...[10, 8 + instruction.length, 1, 6 + instruction.length, 0, 65, 0, 253, 15],
      ...[...instruction, 11],
    ),
  );

/** i8x16.popcnt, and i32x4.relaxed_trunc_f32x4_s. */
export const supports = (simd: Simd): boolean => probe(simd === "plain" ? [253, 98] : [253, 0x81, 0x02]);

const compiled = new Map<string, Promise<WebAssembly.Module>>();

/** The kernels of one SIMD level, for a memory of their own or a shared one; compiled once in a process. */
export function loadModule(simd: Simd, shared = false): Promise<WebAssembly.Module> {
  const key = shared ? `${simd}, shared` : simd;
  let module = compiled.get(key);
  if (module === undefined) {
    module = compileModule(simd, shared);
    compiled.set(key, module);
  }
  return module;
}

/** Bytes of all kernels of one SIMD level. */
export async function kernelSize(simd: Simd): Promise<number> {
  return (await moduleBytes(simd)).length;
}

async function moduleBytes(simd: Simd): Promise<Uint8Array<ArrayBuffer>> {
  const text =
    simd === "relaxed"
      ? (await import("./relaxed-module.ts")).relaxedModule
      : (await import("./plain-module.ts")).plainModule;
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

async function compileModule(simd: Simd, shared: boolean): Promise<WebAssembly.Module> {
  if (!supports(simd)) {
    throw new EspalierError(
      `backend wasm: this engine has no ${simd} SIMD. Take a newer engine, or another backend.`,
    );
  }
  const bytes = await moduleBytes(simd);
  return WebAssembly.compile(shared ? withSharedMemory(bytes) : bytes);
}
