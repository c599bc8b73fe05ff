import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { run } from "./run.ts";

/** Size of an installation. */
export interface Footprint {
  readonly packages: number;
  readonly megabytes: number;
}

/** Packages and bytes below a `node_modules` that npm made. */
export async function footprintOf(folder: string): Promise<Footprint> {
  const lock = JSON.parse(await readFile(join(folder, "node_modules/.package-lock.json"), "utf8"));
  const files = await readdir(join(folder, "node_modules"), { recursive: true, withFileTypes: true });
  const sizes = await Promise.all(
    files
      .filter((entry) => entry.isFile())
      .map(async (entry) => (await stat(join(entry.parentPath, entry.name))).size),
  );
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  return { packages: Object.keys(lock.packages).length, megabytes: bytes / 1e6 };
}

/** The README's first block of TypeScript, run as a reader would. Gives what it prints. */
export async function runTenLines(readme: string, folder: string): Promise<string> {
  const code = /^```ts\n(.*?)^```/ms.exec(await readFile(readme, "utf8"))![1]!;
  await writeFile(join(folder, "ten-lines.ts"), code);
  return run([process.execPath, "ten-lines.ts"], { cwd: folder });
}

/** `train`, `prune` and `predict` of an installed command, on synthetic data. */
export async function trainPrunePredict(folder: string): Promise<void> {
  const espalier = (...args: string[]) =>
    run([process.execPath, join(folder, "node_modules/espalier/dist/main.js"), ...args], { cwd: folder });
  const start = Date.UTC(2026, 0, 1);
  const rows = Array.from({ length: 400 }, (_, hour) => {
    const date = new Date(start + hour * 3_600_000).toISOString().slice(0, 16).replace("T", " ");
    return `${date},${Math.sin(hour / 4)},${Math.cos(hour / 6)}`;
  });
  await writeFile(join(folder, "data.csv"), `date,a,b\n${rows.join("\n")}\n`);
  const small = "--set width=8 --set feedForward=8 --set heads=2".split(" ");
  const lengths = "--input-length 24 --horizon 6 --epochs 1 --batches-per-epoch 5".split(" ");
  await espalier(
    "train",
    "--model",
    "iTransformer",
    ...small,
    "--dataset",
    "data.csv",
    ...lengths,
    "--out",
    "d.safetensors",
  );
  await espalier(
    "prune",
    "d.safetensors",
    "--strategy",
    "unstructured",
    "--sparsity",
    "0.5",
    "--out",
    "s.safetensors",
  );
  const forecast = JSON.parse(await espalier("predict", "s.safetensors", "--input", "data.csv", "--json"));
  if (forecast.forecast.length !== 6)
    throw new Error(`predict gave ${forecast.forecast.length} rows, not 6.`);
}

/** Gzipped kilobytes of a page that forecasts, JavaScript and kernels. */
export interface PageSize {
  /** With a model of the operators that most forecasters have. */
  readonly usual: number;
  /** With a model that has others, too. */
  readonly whole: number;
}

/** Files that a page loads: the code of `@espalier/forecaster`, and the one kernel module of its engine. */
export async function pageSize(folder: string): Promise<PageSize> {
  await writeFile(
    join(folder, "page.js"),
    `import { createForecaster } from "@espalier/forecaster";
const bytes = await (await fetch("model.safetensors")).arrayBuffer();
const forecaster = await createForecaster(bytes);
globalThis.forecast = (rows) => forecaster.forecast(rows);
`,
  );
  const { outputFiles, metafile } = await build({
    absWorkingDir: folder,
    entryPoints: ["page.js"],
    bundle: true,
    minify: true,
    splitting: true,
    format: "esm",
    outdir: "page",
    write: false,
    metafile: true,
  });
  const names = Object.keys(metafile.outputs);
  const size = (...parts: RegExp[]) => {
    const loaded = new Set(parts.map((part) => names.find((name) => part.test(name))));
    for (const name of loaded) {
      if (name === undefined) throw new Error(`the page's bundle has other parts: ${names.join(", ")}.`);
      for (const { path, kind } of metafile.outputs[name]!.imports) {
        if (kind === "import-statement") loaded.add(path);
      }
    }
    const bytes = outputFiles.filter(({ path }) => [...loaded].some((name) => path.endsWith(`/${name}`)));
    return bytes.reduce((sum, { contents }) => sum + gzipSync(contents, { level: 9 }).length, 0) / 1000;
  };
  const usual = [/\/page\.js$/, /forward-relaxed-module/];
  return { usual: size(...usual), whole: size(...usual, /\/operators-\w+\.js$/, /\/others-\w+\.js$/) };
}
