/**
 * Runtimes and bundlers that the examples are tried in, as npm brings them: `node runtimes.ts` puts them into the cache
 * (some 400 MB to download), where the tests look for them.
 */
import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/** Folder of the runtimes. */
export const runtimes: string =
  process.env.ESPALIER_RUNTIMES ??
  join(process.env.ESPALIER_CACHE ?? join(homedir(), ".cache", "espalier"), "runtimes");

const system =
  { linux: "linux", darwin: "darwin", win32: "windows" }[process.platform as string] ?? process.platform;
const machine = { x64: "x64", arm64: "arm64" }[process.arch as string] ?? process.arch;
const node = (version: number) =>
  `npm:node-${process.platform === "win32" ? "win" : process.platform}-${machine}@${version}`;

const dependencies = {
  bun: "1.4.5",
  deno: "2.9.6",
  workerd: "1.20261117.1",
  "node-20": node(20),
  "node-22": node(22),
  "node-26": node(26),
  "@rollup/plugin-node-resolve": "16.0.3",
  next: "16.4.6",
  react: "19.3.1",
  "react-dom": "19.3.1",
  rollup: "4.68.8",
  vite: "8.4.0",
  webpack: "5.113.0",
};

/** Programs in the packages, without the scripts that would link them. */
export const programs = {
  bun: [`@oven/bun-${system}-${machine === "arm64" ? "aarch64" : machine}/bin/bun`],
  deno: [`@deno/${process.platform}-${machine}-glibc/deno`, `@deno/${process.platform}-${machine}/deno`],
  workerd: [`@cloudflare/workerd-${system}-${machine === "x64" ? "64" : machine}/bin/workerd`],
  "node-20": ["node-20/bin/node"],
  "node-22": ["node-22/bin/node"],
  "node-26": ["node-26/bin/node"],
} as const;

if (import.meta.main) {
  await mkdir(runtimes, { recursive: true });
  await writeFile(join(runtimes, "package.json"), JSON.stringify({ private: true, dependencies }));
  await promisify(execFile)("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: runtimes,
    shell: process.platform === "win32",
  });
  console.log(`runtimes: ${Object.keys(dependencies).join(", ")} in ${runtimes}`);
}
