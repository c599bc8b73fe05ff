/**
 * Compiles `assembly/` into modules with relaxed and with plain SIMD, each with all kernels and with those that run models
 * alone (`forward`), and writes them into `src/modules`, deflated and as base64: sources then run without a build step, in
 * Node and from a plain page. Those that run models are also files in `kernels`, for engines that compile no code at run
 * time. `pnpm --filter @espalier/backend-wasm compile`.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { deflateAsync } from "@gfx/zopfli";
import asc from "assemblyscript/asc";
import { auditSource, watched } from "./audit.ts";
import { microKernels, panelRows } from "./micro-kernels.ts";

export type SimdLevel = "relaxed" | "plain";
export const simdLevels: readonly SimdLevel[] = ["relaxed", "plain"];

/** The kernels of a module. */
export type Scope = "all" | "forward";

/** Every module that is made. */
export const modules: readonly { readonly level: SimdLevel; readonly scope: Scope }[] = simdLevels.flatMap(
  (level) => [
    { level, scope: "all" },
    { level, scope: "forward" },
  ],
);

const folder = new URL("../assembly/", import.meta.url);
/** Whether a module trains, for kernels of which forecasts need the short form only. */
const scopeSource = (scope: Scope): string => `export const trains: bool = ${scope === "all"};\n`;

/**
 * The module of one SIMD level; with `audit`, one that counts operations on subnormal numbers (see audit.ts). Throws with
 * the compiler's messages where it does not compile.
 */
export async function compileKernels(
  level: SimdLevel,
  { audit = false, scope = "all" }: { readonly audit?: boolean; readonly scope?: Scope } = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const relaxed = level === "relaxed";
  let binary: Uint8Array<ArrayBuffer> | undefined;
  const generated: Readonly<Record<string, () => string>> = {
    "micro-kernels.ts": () => microKernels({ relaxed }),
    "scope.ts": () => scopeSource(scope),
  };
  const sourceOf = async (name: string) =>
    generated[name]?.() ?? readFile(new URL(name, folder), "utf8").catch(() => null);
  // Addresses have 32 bits here (201), and vectors pass between functions of this module only (112).
  const quiet = ["--disableWarning", "201,112"];
  const features = ["--enable", "simd", ...(relaxed ? ["--enable", "relaxed-simd"] : [])];
  const { error, stderr } = await asc.main(
    [
      scope === "all" ? "index.ts" : "forward.ts",
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

/** The name of a module, in files: `relaxed`, `forward-plain`. */
export const nameOf = (level: SimdLevel, scope: Scope): string =>
  scope === "all" ? level : `${scope}-${level}`;

/**
 * The source file that carries a module. Zopfli's deflate is 5 % smaller than zlib's, and takes seconds: pages load what is
 * compiled once.
 */
export async function moduleSource(level: SimdLevel, scope: Scope, binary: Uint8Array): Promise<string> {
  const rows = panelRows({ relaxed: level === "relaxed" });
  const variable = nameOf(level, scope).replace(/-(.)/, (_, letter: string) => letter.toUpperCase());
  const what = scope === "all" ? "All kernels" : "Kernels that run models,";
  const deflated = await deflateAsync(binary, { numiterations: 60 });
  return `// Written by build/compile.ts: do not edit.
/** ${what} with ${level} SIMD, ${binary.length} bytes, deflated. Dense panels have ${rows} rows. */
export const ${variable}Module: string =
  "${Buffer.from(deflated).toString("base64")}";
`;
}

const moduleFile = (level: SimdLevel, scope: Scope): URL =>
  new URL(`../src/modules/${nameOf(level, scope)}-module.ts`, import.meta.url);

/** Paths of the modules that run models. */
export const kernelFile = (level: SimdLevel): URL =>
  new URL(`../kernels/${nameOf(level, "forward")}.wasm`, import.meta.url);

if (process.argv[1] === new URL(import.meta.url).pathname) {
  for (const { level, scope } of modules) {
    const binary = await compileKernels(level, { scope });
    await writeFile(moduleFile(level, scope), await moduleSource(level, scope, binary));
    if (scope === "forward") {
      await mkdir(new URL(".", kernelFile(level)), { recursive: true });
      await writeFile(kernelFile(level), binary);
    }
    console.log(`${nameOf(level, scope)}: ${(binary.length / 1024).toFixed(1)} KB`);
  }
}
