import { mkdtemp, readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Model, prune, randomInputs, reference, runModel } from "@espalier/core";
import { drawEncoder, largestError, modelOf } from "@espalier/core/testing";
import { writeTfjs } from "@espalier/formats";
import { saveTfjs } from "@espalier/formats/node";
import { sedimarkCrossformer } from "@espalier/models";
import { channel } from "@espalier/strategy-channel";
import { head } from "@espalier/strategy-head";
import { describe, expect, it } from "vitest";
import { models, strategies } from "./subjects.ts";
import { loadTfjs, runTfjs } from "./tfjs-runtime.ts";

const published = { inputLength: 24, horizon: 24, series: 3, width: 32, feedForward: 32, heads: 4 };
const [first, second] = [models[0]![1], models[1]![1]];

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

describe.each(models)("%s as a TensorFlow.js graph model", (_name, model) => {
  it("gives the same forecast", async () => {
    await expectSame(model);
  });

  it.each(strategies)("gives it with %s pruned", async (_what, strategy, amount) => {
    await expectSame(prune(model, await strategy.plan({ model, amount })));
  });
});

describe("a model as a TensorFlow.js graph model", () => {
  it("knows every evaluation operator of the shared encoder", async () => {
    await expectSame(modelOf(drawEncoder({ activation: "relu", dropout: 0.1 })));
  });

  it("names inputs and outputs, leaves the batch open, and says what was pruned", async () => {
    const pruned = prune(first, await head().plan({ model: first, amount: 0.5 }));
    const json = JSON.parse(new TextDecoder().decode(writeTfjs(pruned).get("model.json")));
    expect(json.signature.inputs.x_enc).toEqual({
      name: "x_enc:0",
      dtype: "DT_FLOAT",
      tensorShape: { dim: [{ size: "-1" }, { size: "24" }, { size: "3" }] },
    });
    expect(Object.keys(json.signature.outputs)).toEqual(["output"]);
    expect(json.userDefinedMetadata.espalier.history).toMatchObject([{ did: "prune", strategy: "head" }]);
  });

  it("cuts its weights into files of the size asked for", async () => {
    const files = writeTfjs(first, { shardBytes: 10_000 });
    const shards = [...files].filter(([name]) => name.endsWith(".bin"));
    expect(shards.length).toBeGreaterThan(1);
    expect(shards.slice(0, -1).every(([, bytes]) => bytes.length === 10_000)).toBe(true);
    const inputs = randomInputs(first, 1);
    expect(await runTfjs(await loadTfjs(files), inputs)).toEqual(
      await runTfjs(await loadTfjs(writeTfjs(first)), inputs),
    );
  });

  it("is smaller after structured pruning, and leaves out what is dead", async () => {
    const bytes = (model: Model) =>
      [...writeTfjs(model)].reduce((n, [name, file]) => n + (name.endsWith(".bin") ? file.length : 0), 0);
    const narrow = prune(first, await channel().plan({ model: first, amount: 0.5 }));
    expect(bytes(narrow)).toBeLessThan(0.6 * bytes(first));
    const [dead, live] = (["asPublished", "connected"] as const).map((variant) =>
      bytes(sedimarkCrossformer({ ...published, variant }).initialize(1)),
    );
    expect(dead).toBeLessThan(0.5 * live!);
  });

  it("is written as a folder that is whole, and replaced only when asked to", async () => {
    const folder = join(await mkdtemp(join(tmpdir(), "espalier-tfjs-")), "web");
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
