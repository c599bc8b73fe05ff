import { readdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { EspalierError } from "@espalier/core";
import { names } from "../tensorflow/location.ts";
import { complaint, type RunOptions, runProgram } from "./process.ts";
import { quietSource } from "./quiet.ts";

export interface BuildInput {
  /** Folder of @tensorflow/tfjs-node. */
  readonly sources: string;
  readonly headers: string;
  /** Folder of the libraries, and of the addons. */
  readonly libraries: string;
  readonly libraryNames: readonly string[];
}

/** A C++ compiler. */
export interface Compiler {
  readonly program: string;
  /** The first line of its version message. */
  readonly about: string;
}

/** Finds `CXX`, else g++. Checked before anything is downloaded. */
export async function findCompiler(options: RunOptions): Promise<Compiler> {
  const program = process.env.CXX || "g++";
  const result = await runProgram(program, ["--version"], options);
  if (result === undefined) {
    throw new EspalierError(
      `tensorflow: no C++ compiler (${program}) to build the addon with: apt-get install g++ (or set CXX)`,
    );
  }
  return { program, about: result.stdout.split("\n")[0]!.trim() };
}

/** Compiles the addon against libtensorflow, and the one that suppresses its startup messages. */
export async function buildAddons(
  compiler: Compiler,
  { sources, headers, libraries, libraryNames }: BuildInput,
  options: RunOptions,
): Promise<void> {
  const binding = join(sources, "binding");
  const files = (await readdir(binding)).filter((name) => name.endsWith(".cc"));
  await compile(compiler, options, [
    `-I${headers}`,
    ...files.map((name) => join(binding, name)),
    ...["-o", join(libraries, basename(names.addon)), `-L${libraries}`],
    ...libraryNames.toReversed().map((name) => `-l:${name}`),
    // Addon and libraries are in one folder, which may be moved.
    "-Wl,-rpath,$ORIGIN",
  ]);
  const quiet = join(headers, "quiet.cc");
  await writeFile(quiet, quietSource);
  await compile(compiler, options, [quiet, "-o", join(libraries, basename(names.quiet))]);
}

async function compile({ program }: Compiler, options: RunOptions, own: readonly string[]): Promise<void> {
  const common = ["-shared", "-fPIC", "-O3", "-std=c++17", "-DNAPI_VERSION=8", `-I${nodeHeaders()}`];
  const built = (await runProgram(program, [...common, ...own], options))!;
  if (built.code !== 0)
    throw new EspalierError(`tensorflow: ${program} cannot build the addon: ${complaint(built)}`);
}

/** The headers of Node-API, which are the same for every Node with version 8 of it. */
function nodeHeaders(): string {
  const require = createRequire(import.meta.url);
  return join(dirname(require.resolve("node-api-headers/package.json")), "include");
}
