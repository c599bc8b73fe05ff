import { existsSync } from "node:fs";
import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { espalier, temporaryFolder, words } from "./espalier.ts";

const shared = fileURLToPath(new URL("../../../../shared", import.meta.url));
const present = existsSync(join(shared, "reference"));
if (!present)
  console.warn("skipped: tests on shared data, for want of a folder shared beside the repository");

describe("backends", () => {
  it("are listed with what they are", async () => {
    const { code, stdout } = await espalier(["backends"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/● {2}tfjs-wasm +TensorFlow.js .*, WebAssembly with/);
    const { backends } = JSON.parse((await espalier(["backends", "--json"])).stdout);
    expect(backends).toContainEqual({ name: "reference", available: true, detail: expect.any(String) });
  });
});

describe("data sets", () => {
  it("are listed with where they are", async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, "ETTh2.csv"), "");
    const env = { ESPALIER_DATA: folder, ESPALIER_CACHE: join(folder, "cache") };
    const { code, stdout } = await espalier(["datasets"], { env });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^synthetic +4,000 +7 +1 h +embedded$/m);
    expect(stdout).toMatch(/^ETTh2 +17,420 +7 +1 h {2}CC BY-ND 4.0 +yes$/m);
    expect(stdout).toMatch(/^traffic +17,544 +862 .* to fetch$/m);
    const { datasets } = JSON.parse((await espalier(["datasets", "--json"], { env })).stdout);
    expect(datasets.find(({ name }: { name: string }) => name === "ETTh2")).toMatchObject({
      present: true,
      path: join(folder, "ETTh2.csv"),
      licence: "CC BY-ND 4.0",
    });
    const one = (await espalier(["datasets", "weather"], { env })).stdout;
    expect(one).toMatch(/missing values +-9999: forward-fill/);
    expect(one).toMatch(/sha256 {2}9b2b19b1[0-9a-f]{56}\nfile {4}.*weather.csv \(when it is fetched\)/);
  });

  it.skipIf(!present)("are verified where they are, and refused where they are damaged", async () => {
    const folder = await temporaryFolder();
    const env = { ESPALIER_DATA: folder };
    await copyFile(join(shared, "datasets", "national_illness.csv"), join(folder, "national_illness.csv"));
    const { code, stdout } = await espalier(words("datasets fetch national_illness --json"), { env });
    expect([code, JSON.parse(stdout)]).toMatchObject([
      0,
      { datasets: [{ name: "national_illness", bytes: 66_653 }] },
    ]);
    await writeFile(join(folder, "ETTh1.csv"), "date,a\n");
    const damaged = await espalier(words("datasets fetch ETTh1"), { env });
    expect(damaged).toMatchObject({ code: 1, stdout: "" });
    expect(damaged.stderr).toMatch(/^espalier: data ETTh1: .* has sha256 .*, expected f18de3ad[^\n]*\n$/);
    const unknown = await espalier(words("datasets fetch national_illness ETTh"), { env });
    expect(unknown.stderr).toContain('dataset "ETTh" is not known. Did you mean "ETTh1"?');
  });
});

describe.skipIf(!present)("verification against PyTorch's numbers", () => {
  it("prints every check with its error and tolerance", async () => {
    const folder = join(shared, "reference", "PatchTST");
    const { code, stdout, stderr } = await espalier(["verify", folder, "--backend", "tfjs-wasm"]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/ ✓ +\d\.\de-\d+ {2}≤ 1.0e-4 {2}outputs\n/);
    expect(stdout).toContain("parameters");
  });

  it("fails where one check does", async () => {
    const folder = await temporaryFolder();
    for (const file of ["weights", "io", "gradients"]) {
      await copyFile(
        join(shared, "reference", "iTransformer", `${file}.safetensors`),
        join(folder, `${file}.safetensors`),
      );
    }
    const { readFile } = await import("node:fs/promises");
    const model = JSON.parse(await readFile(join(shared, "reference", "iTransformer", "model.json"), "utf8"));
    await writeFile(
      join(folder, "model.json"),
      JSON.stringify({ ...model, parameters: model.parameters + 1 }),
    );
    const { code, stdout, stderr } = await espalier(["verify", folder, "--backend", "tfjs-wasm", "--json"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^espalier: 1 of \d+ checks failed on tfjs-wasm.\n$/);
    expect(JSON.parse(stdout).folders[0].checks).toContainEqual(
      expect.objectContaining({ what: "parameters", passed: false }),
    );
  });
});
