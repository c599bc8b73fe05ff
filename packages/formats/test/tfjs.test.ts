import { mkdtemp, readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Model, prune, reference } from "@espalier/core";
import { drawEncoder, largestError, modelOf, randomInputs, runModel } from "@espalier/core/testing";
import { writeTfjs } from "@espalier/formats";
import { saveTfjs } from "@espalier/formats/node";
import { crossformer, iTransformer, patchTST, sedimarkCrossformer } from "@espalier/models";
import { channel } from "@espalier/strategy-channel";
import { combined } from "@espalier/strategy-combined";
import { head } from "@espalier/strategy-head";
import { unstructured } from "@espalier/strategy-unstructured";
import { describe, expect, it } from "vitest";
import { libraryModels } from "./library-models.ts";
import { loadTfjs, runTfjs } from "./tfjs-runtime.ts";

const lengths = { inputLength: 48, horizon: 12, series: 3 };
const small = { width: 16, feedForward: 24, heads: 4, layers: 2 };
const published = { inputLength: 24, horizon: 24, series: 3, width: 32, feedForward: 32, heads: 4 };
const models: readonly Model[] = [
  patchTST({ ...lengths, ...small }).initialize(1),
  iTransformer({ ...lengths, ...small, marks: 4 }).initialize(1),
  crossformer({ ...lengths, ...small }).initialize(1),
  sedimarkCrossformer({ ...published, variant: "connected" }).initialize(1),
];
const strategies = [head(), channel(), unstructured(), combined([head(), channel(), unstructured()])];

async function expectSame(model: Model): Promise<void> {
  const loaded = await loadTfjs(writeTfjs(model));
  for (const batchSize of [1, 3]) {
    const inputs = randomInputs(model, batchSize);
    const expected = await runModel(model, reference, inputs);
    const got = await runTfjs(loaded, inputs);
    expect([...got.keys()]).toEqual([...expected.keys()]);
    for (const [name, tensor] of expected) expect(largestError(got.get(name)!, tensor)).toBeLessThan(1e-5);
  }
  loaded.dispose();
}

describe("a model as a TensorFlow.js graph model", () => {
  it.each(models.map((model) => [model.name, model] as const))(
    "%s gives the same forecast",
    async (_name, model) => {
      await expectSame(model);
    },
  );

  it.each(
    models.flatMap((model) =>
      strategies.map((strategy) => [model.name, strategy.name, model, strategy] as const),
    ),
  )("%s pruned by %s gives the same forecast", async (_model, _strategy, model, strategy) => {
    await expectSame(prune(model, await strategy.plan({ model, amount: 0.5 })));
  });

  it.each(libraryModels)("%s gives the same forecast, dense and pruned", async (_name, model, strategy) => {
    await expectSame(model);
    await expectSame(prune(model, await strategy.plan({ model, amount: 0.5 })));
  });

  it("knows every evaluation operator of the shared encoder", async () => {
    await expectSame(modelOf(drawEncoder({ activation: "relu", dropout: 0.1 })));
  });

  it("names inputs and outputs, leaves the batch open, and says what was pruned", async () => {
    const [model] = models;
    const pruned = prune(model!, await head().plan({ model: model!, amount: 0.5 }));
    const json = JSON.parse(new TextDecoder().decode(writeTfjs(pruned).get("model.json")));
    expect(json.signature.inputs.x_enc).toEqual({
      name: "x_enc:0",
      dtype: "DT_FLOAT",
      tensorShape: { dim: [{ size: "-1" }, { size: "48" }, { size: "3" }] },
    });
    expect(Object.keys(json.signature.outputs)).toEqual(["output"]);
    expect(json.userDefinedMetadata.espalier.history).toMatchObject([{ did: "prune", strategy: "head" }]);
  });

  it("cuts its weights into files of the size asked for", async () => {
    const files = writeTfjs(models[0]!, { shardBytes: 10_000 });
    const shards = [...files].filter(([name]) => name.endsWith(".bin"));
    expect(shards.length).toBeGreaterThan(1);
    expect(shards.slice(0, -1).every(([, bytes]) => bytes.length === 10_000)).toBe(true);
    const inputs = randomInputs(models[0]!, 1);
    expect(await runTfjs(await loadTfjs(files), inputs)).toEqual(
      await runTfjs(await loadTfjs(writeTfjs(models[0]!)), inputs),
    );
  });

  it("is smaller after structured pruning, and leaves out what is dead", async () => {
    const bytes = (model: Model) =>
      [...writeTfjs(model)].reduce((n, [name, file]) => n + (name.endsWith(".bin") ? file.length : 0), 0);
    const [model] = models;
    const narrow = prune(model!, await channel().plan({ model: model!, amount: 0.5 }));
    expect(bytes(narrow)).toBeLessThan(0.6 * bytes(model!));
    const dead = sedimarkCrossformer({ ...published, variant: "asPublished" }).initialize(1);
    expect(bytes(dead)).toBeLessThan(0.5 * bytes(models.at(-1)!));
  });

  it("is written as a folder that is whole, and replaced only when asked to", async () => {
    const folder = join(await mkdtemp(join(tmpdir(), "espalier-tfjs-")), "web");
    const [first, second] = [models[0]!, models[1]!];
    await saveTfjs(folder, first);
    expect((await readdir(folder)).sort()).toEqual([...writeTfjs(first).keys()].sort());
    await expect(saveTfjs(folder, second)).rejects.toThrow("exists. Give --force");
    expect(new Uint8Array(await readFile(join(folder, "model.json")))).toEqual(
      writeTfjs(first).get("model.json"),
    );
    await saveTfjs(folder, second, { force: true });
    expect(new Uint8Array(await readFile(join(folder, "model.json")))).toEqual(
      writeTfjs(second).get("model.json"),
    );
    expect(await readdir(dirname(folder))).toEqual(["web"]);
  });
});
