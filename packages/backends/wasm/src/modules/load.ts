import { EspalierError } from "@espalier/core/inference";

/** `relaxed` fuses products with sums; every engine since about 2023 has it. `plain` only needs 128-bit SIMD. */
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

/** The kernels to load, and their memory. */
export interface ModuleOptions {
  readonly simd: Simd;
  /** With the kernels of training. */
  readonly training: boolean;
  /** For memory that threads share. */
  readonly shared?: boolean;
}

const compiled = new Map<string, Promise<WebAssembly.Module>>();

/** The kernels, compiled once in a process. */
export function loadModule(options: ModuleOptions): Promise<WebAssembly.Module> {
  const key = JSON.stringify(options);
  let module = compiled.get(key);
  if (module === undefined) {
    module = compileModule(options);
    compiled.set(key, module);
  }
  return module;
}

/** Bytes of all kernels of one SIMD level. */
export async function kernelSize(simd: Simd): Promise<number> {
  return (await moduleBytes({ simd, training: true })).length;
}

/** Bundlers make a file of each, of which a page loads one. */
const texts = {
  "relaxed, all": async () => (await import("./relaxed-module.ts")).relaxedModule,
  "relaxed, forward": async () => (await import("./forward-relaxed-module.ts")).forwardRelaxedModule,
  "plain, all": async () => (await import("./plain-module.ts")).plainModule,
  "plain, forward": async () => (await import("./forward-plain-module.ts")).forwardPlainModule,
} as const;

async function moduleBytes({ simd, training }: ModuleOptions): Promise<Uint8Array<ArrayBuffer>> {
  const text = await texts[`${simd}, ${training ? "all" : "forward"}`]();
  const deflated = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const inflated = new Blob([deflated]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(inflated).arrayBuffer());
}

async function compileModule(options: ModuleOptions): Promise<WebAssembly.Module> {
  const { simd, shared } = options;
  if (!supports(simd)) {
    throw new EspalierError(
      `backend wasm: this engine has no ${simd} SIMD. Use a newer engine, or another backend.`,
    );
  }
  const bytes = await moduleBytes(options);
  if (!shared) return WebAssembly.compile(bytes);
  const { withSharedMemory } = await import("./shared.ts");
  return WebAssembly.compile(withSharedMemory(bytes));
}
