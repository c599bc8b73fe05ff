import { existsSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createRegistry } from "@espalier/recipe/standard";
import { describe, expect, it, onTestFinished } from "vitest";
import { type Check, verify } from "../../src/index.ts";

const shared = fileURLToPath(new URL("../../../../../shared", import.meta.url));
const reference = join(shared, "reference");
const present = existsSync(reference);
const trained = existsSync(join(reference, "trained")) && existsSync(join(shared, "datasets", "ETTh1.csv"));
if (!present || !trained)
  console.warn("skipped: parity with PyTorch, for want of a folder shared/ beside the repository");
const registry = createRegistry();

/** Each check that failed as one line. */
const failures = (checks: readonly Check[]) =>
  checks.filter(({ passed }) => !passed).map(({ what, error, detail }) => `${what}: ${detail ?? error}`);

const models = [
  "PatchTST",
  "iTransformer",
  "Crossformer",
  "Transformer",
  "Informer",
  "Autoformer",
  "Autoformer-odd",
  "FEDformer",
  "DLinear",
  "SedimarkCrossformer-asPublished",
  "SedimarkCrossformer-connected",
];

describe.skipIf(!present)("PyTorch's numbers (shared/reference)", () => {
  describe.each(["reference", "tfjs-wasm", "wasm"])("on %s", (backend) => {
    it.each(models)(
      "%s: outputs, gradients, parameters, dead parameters, FLOPs and what is pruned",
      async (model) => {
        const checks = await verify(join(reference, model), registry, registry.backend(backend));
        expect(failures(checks)).toEqual([]);
        const pruned = existsSync(join(reference, model, "pruning.json"));
        const kinds = ["outputs", "gradients", "parameters", "FLOPs", "dead"].concat(
          pruned ? ["WSAP ratios", "magnitude at 90"] : [],
        );
        for (const kind of kinds) expect(checks.some(({ what }) => what.includes(kind))).toBe(true);
      },
    );
  });

  it("are not those of a model in which one weight differs", async () => {
    const folder = await mkdtemp(join(tmpdir(), "espalier-verify-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    await cp(join(reference, "iTransformer"), folder, { recursive: true });
    const path = join(folder, "weights.safetensors");
    const bytes = await readFile(path);
    bytes.writeFloatLE(3, bytes.length - 4);
    await writeFile(path, bytes);
    const checks = await verify(folder, registry, registry.backend("reference"));
    expect(failures(checks).join("\n")).toContain("outputs");
  });

  it("of a model that is not known here are refused in one line", async () => {
    const folder = await mkdtemp(join(tmpdir(), "espalier-verify-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    await cp(join(reference, "DLinear"), folder, { recursive: true });
    const path = join(folder, "model.json");
    const description = JSON.parse(await readFile(path, "utf8"));
    await writeFile(path, JSON.stringify({ ...description, model: "TimesNet" }));
    await expect(verify(folder, registry, registry.backend("reference"))).rejects.toThrow(
      /TimesNet.*Known: PatchTST/,
    );
  });
});

describe.skipIf(!trained)("trained checkpoints (shared/reference/trained)", () => {
  it.each(["iTransformer_ETTh1", "PatchTST_ETTh1"])(
    "%s has the test error that PyTorch measured over every window",
    async (name) => {
      const checks = await verify(join(reference, "trained", name), registry, registry.backend("tfjs-wasm"), {
        folder: join(shared, "datasets"),
      });
      expect(failures(checks)).toEqual([]);
      expect(checks.map(({ what }) => what)).toEqual([
        "MSE over 2785 test windows",
        "MAE over 2785 test windows",
      ]);
    },
    120_000,
  );
});
