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
  // Loading libtensorflow and a GPU's driver takes a while where others compute.
  it("are listed with what they run on, and the command that gets what is missing", {
    timeout: 180_000,
  }, async () => {
    const { code, stdout } = await espalier(["backends"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ {3}backend +device +threads +SIMD +runs on\n/);
    expect(stdout).toMatch(/● {2}tfjs-wasm +\S.* {2}1 {2}128-bit +TensorFlow.js 4\./);
    const { backends } = JSON.parse((await espalier(["backends", "--json"])).stdout);
    expect(backends).toContainEqual({
      ...{ name: "reference", available: true, detail: expect.any(String), device: expect.any(String) },
      ...{ threads: 1, simd: "none" },
    });
    for (const { available, detail, command } of backends) {
      if (!available && command !== undefined) expect(detail).toContain(command);
      if (!available) expect(stdout.replace(/\s+/g, " ")).toContain(detail);
    }
  });

  it("are measured, those that were named", async () => {
    const { code, stdout } = await espalier(words("backends wasm tfjs-wasm --bench"));
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /SIMD +product +step +runs on\n● {2}wasm .* GFLOP\/s +\S+ ms [^●]*\n● {2}tfjs-wasm /,
    );
    expect(stdout).toContain("\nproduct: 256 × 256 × 256");
    const { backends } = JSON.parse((await espalier(words("backends wasm --bench --json"))).stdout);
    expect(backends).toMatchObject([{ name: "wasm", bench: { gflops: expect.any(Number) } }]);
    expect(backends[0].bench.step.median).toBeGreaterThan(0);
    const unknown = await espalier(words("backends wsam"));
    expect(unknown.stderr).toMatch(/backend "wsam" is not known\. Did you mean "wasm"\?/);
  });

  it("are installed by name", async () => {
    const unknown = await espalier(words("backends install tensorflw"));
    expect(unknown).toMatchObject({ code: 1, stdout: "" });
    expect(unknown.stderr).toMatch(/"tensorflw" is not known\. Did you mean "tensorflow"\?/);
    const folder = await temporaryFolder();
    const env = { ESPALIER_CACHE: folder };
    const none = await espalier(words("backends install tensorflow --wheel none.whl"), { env });
    expect(none.stderr).toMatch(/^espalier: wheel \S*none\.whl: no such file\.\n$/);
    const { stdout } = await espalier(words("backends uninstall tensorflow"), { env });
    expect(stdout).toBe("tensorflow is not installed; there is nothing to remove\n");
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
    expect(one).toMatch(/sha256 {2}9b2b19b1[0-9a-f]{56}\nfile {4}.*weather.csv \(once it is fetched\)/);
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
