import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { espalier, temporaryFolder, words } from "./espalier.ts";

/** Names as people have them: the longest word is what no line can be shorter than. */
const file = "hourly loads of the northern network, as measured.csv";
const series = [
  "load of the northern district heating network (kW), Oberhausen-Sterkrade",
  "price\tin EUR",
  "c",
];
const model = "--model DLinear --input-length 24 --horizon 12 --epochs 2 --batches-per-epoch 2";

let cwd: string;
beforeAll(async () => {
  cwd = await temporaryFolder(afterAll);
  const rows = Array.from({ length: 300 }, (_, i) => {
    const date = new Date(Date.UTC(2024, 0, 1, i)).toISOString().slice(0, 16).replace("T", " ");
    return `${date},${1e5 + 5000 * Math.sin(i / 4)},${Math.sin(i / 3) / 100},${10 + Math.cos(i / 12)}`;
  });
  await writeFile(join(cwd, file), `date,${series.map((name) => `"${name}"`).join()}\n${rows.join("\n")}\n`);
  const trained = await run(["train", ...words(model), "--dataset", file, "--out", "m.safetensors"]);
  expect(trained.code, trained.stderr).toBe(0);
});

const run = (args: readonly string[]) => espalier(args, { cwd, columns: 80 });

describe("output fits into eighty columns, whatever names are long:", () => {
  it.each([
    ["train", ...words(model), "--force", "--dataset", file, "--out", "again.safetensors"],
    ["evaluate", "m.safetensors", "--dataset", file, "--detail"],
    ["predict", "m.safetensors", "--input", file, "--out", "forecast.csv"],
    [
      "prune",
      "m.safetensors",
      "--dataset",
      file,
      "--evaluate",
      "--out",
      "p.safetensors",
      ...words("--strategy unstructured --sparsity 0.9"),
    ],
    ["inspect", "m.safetensors"],
    ["inspect", "m.safetensors", "--backend", "wasm"],
    ["backends"],
  ])("%s", async (...args) => {
    const { code, stdout, stderr } = await run(args);
    expect(code, stderr).toBe(0);
    for (const line of stdout.split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
  });

  it("shortens names of series in the middle, and keeps them on a line", async () => {
    const { stdout } = await run(["evaluate", "m.safetensors", "--dataset", file]);
    expect(stdout).toMatch(/^load of the .*…[^\n]*Sterkrade +\d/m);
    expect(stdout).toMatch(/^price in EUR +\d/m);
  });
});
