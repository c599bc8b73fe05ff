/**
 * Compiles `assembly/` into two modules, with relaxed and with plain SIMD, and writes them into `src/modules` as base64:
 * sources then run without a build step, in Node and from a plain page. `pnpm --filter @espalier/backend-wasm compile`.
 */
import { readFile, writeFile } from "node:fs/promises";
import asc from "assemblyscript/asc";
import { auditSource, watched } from "./audit.ts";
import { microKernels, panelRows } from "./micro-kernels.ts";

export type SimdLevel = "relaxed" | "plain";
export const simdLevels: readonly SimdLevel[] = ["relaxed", "plain"];

const folder = new URL("../assembly/", import.meta.url);
const generated = "micro-kernels.ts";

/**
 * The module of one SIMD level; with `audit`, one that counts operations on subnormal numbers (see audit.ts). Throws with
 * the compiler's messages where it does not compile.
 */
export async function compileKernels(level: SimdLevel, audit = false): Promise<Uint8Array<ArrayBuffer>> {
  const relaxed = level === "relaxed";
  let binary: Uint8Array<ArrayBuffer> | undefined;
  const sourceOf = async (name: string) =>
    name === generated
      ? microKernels({ relaxed })
      : readFile(new URL(name, folder), "utf8").catch(() => null);
  // Addresses have 32 bits here (201), and vectors pass between functions of this module only (112).
  const quiet = ["--disableWarning", "201,112"];
  const features = ["--enable", "simd", ...(relaxed ? ["--enable", "relaxed-simd"] : [])];
  const { error, stderr } = await asc.main(
    [
      "index.ts",
      "-o",
      "out.wasm",
      "-O3",
      "--runtime",
      "stub",
      "--importMemory",
      "--noAssert",
      ...quiet,
      ...features,
    ],
    {
      readFile: async (name) => {
        if (!audit) return sourceOf(name);
        if (name === "audit.ts") return auditSource;
        const source = await sourceOf(name);
        return source && watched(name, source);
      },
      writeFile: async (name, contents) => {
        if (name === "out.wasm") binary = contents as Uint8Array<ArrayBuffer>;
      },
      listFiles: async () => [],
    },
  );
  if (error !== null || binary === undefined) throw new Error(`${error?.message}\n${stderr.toString()}`);
  return binary;
}

/** The source file that carries a module. */
export function moduleSource(level: SimdLevel, binary: Uint8Array): string {
  const rows = panelRows({ relaxed: level === "relaxed" });
  return `// Written by build/compile.ts: do not edit.
/** All kernels with ${level} SIMD, ${binary.length} bytes. Dense panels have ${rows} rows. */
export const ${level}Module: string =
  "${Buffer.from(binary).toString("base64")}";
`;
}

export const moduleFile = (level: SimdLevel): URL =>
  new URL(`../src/modules/${level}-module.ts`, import.meta.url);

if (process.argv[1] === new URL(import.meta.url).pathname) {
  for (const level of simdLevels) {
    const binary = await compileKernels(level);
    await writeFile(moduleFile(level), moduleSource(level, binary));
    console.log(`${level}: ${(binary.length / 1024).toFixed(1)} KB`);
  }
}
