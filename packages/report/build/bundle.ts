/**
 * Puts Vega and Vega-Lite into `dist/vega.js`, and their licences beside it: one file instead of seventy packages in every
 * installation of the command.
 */
import { readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));

const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: ["src/vega.ts"],
  outfile: "dist/vega.js",
  bundle: true,
  minify: true,
  platform: "node",
  target: "node22",
  format: "esm",
  legalComments: "none",
  // Vega draws on it where it is installed; SVG needs none.
  external: ["canvas"],
  metafile: true,
});

// That of the module alone, which the compiler wrote.
rmSync(join(root, "dist/vega.js.map"), { force: true });

/** Packages whose published file holds another one, which the bundler does not see. */
const within: Readonly<Record<string, string>> = {
  "d3-delaunay": "delaunator",
  delaunator: "robust-predicates",
};

const inputs = Object.keys(metafile.inputs).map(
  (file) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(file)?.[0],
);
const folders = new Set(inputs.filter((folder) => folder !== undefined));
const notices: string[] = [];
for (const folder of folders) {
  const path = join(root, folder);
  const { name, version, license } = JSON.parse(readFileSync(join(path, "package.json"), "utf8"));
  const file = readdirSync(path).find((entry) => /^licen[cs]e/i.test(entry));
  if (file === undefined) throw new Error(`${name} ${version} (${license}) has no licence file.`);
  notices.push(`${name} ${version} (${license})\n\n${readFileSync(join(path, file), "utf8").trim()}\n`);
  if (within[name] !== undefined) folders.add(relative(root, realpathSync(join(path, "..", within[name]))));
}
writeFileSync(
  join(root, "dist/vega.licenses.txt"),
  `vega.js contains the following packages.\n\n${notices.sort().join(`\n${"-".repeat(80)}\n\n`)}`,
);
