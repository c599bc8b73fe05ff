import { digest, type Model, meet, prune } from "@espalier/core";
import { encodeModel } from "@espalier/formats";
import { describe, expect, it } from "vitest";
import { type Recipe, replay, run } from "../../src/index.ts";
import { data, fit, long, model, workbench } from "./small.ts";

const made = async (recipe: Recipe, from: Model = model) =>
  (await run({ recipe, model: from, workbench })).model;
const once = (strategy: { use: string }, target: object): Recipe => ({
  format: 2,
  steps: [{ do: "prune", strategy, target, acceptNearest: true }],
});

describe("a history is replayed to the same bytes", () => {
  it.each<[string, Recipe]>([
    ["unstructured", once({ use: "unstructured" }, { sparsity: 0.7 })],
    ["channel", once({ use: "channel" }, { flops: 0.6 })],
    ["head", once({ use: "head" }, { parameters: 0.9 })],
    ["depth", once({ use: "depth" }, { flops: 0.7 })],
    [
      "combined",
      once(
        {
          use: "combined",
          stages: [{ use: "channel" }, { use: "unstructured", criterion: "random" }],
        } as never,
        { bytes: 0.4 },
      ),
    ],
    ["a whole recipe", long],
  ])("%s", async (_, recipe) => {
    const small = await made(recipe);
    const again = await replay({ model: small, from: model, workbench });
    expect(encodeModel(again)).toEqual(encodeModel(small));
  });

  it("with every setting named, whatever the defaults become", async () => {
    const small = await made({ format: 2, steps: [{ do: "tune", fit: { epochs: 1, batchesPerEpoch: 2 } }] });
    const { step } = (small.history.at(-1) as { by: { step: { fit: object } } }).by;
    expect(step.fit).toMatchObject({ epochs: 1, learningRate: 1e-4, rateSchedule: "cosine", patience: 3 });
  });

  it("of two runs, one after the other, from either model", async () => {
    const middle = await made(once({ use: "channel" }, { flops: 0.7 }));
    const end = await made({ ...long, seed: 9, steps: [long.steps[3]!] }, middle);
    for (const from of [model, middle])
      expect(encodeModel(await replay({ model: end, from, workbench }))).toEqual(encodeModel(end));
  });

  it("by the plan that was measured, without measuring again", async () => {
    const share = { share: 0.5, spread: 0 };
    const latency = async () => ({ on: "nothing", measure: async () => share });
    const recipe = once({ use: "unstructured" }, { latency: 0.5 });
    const { model: small } = await run({ recipe, model, workbench: { ...workbench, latency } });
    expect(encodeModel(await replay({ model: small, from: model, workbench }))).toEqual(encodeModel(small));
  });
});

describe("a history is not replayed", () => {
  it("from a model that is not its beginning", async () => {
    const small = await made(once({ use: "channel" }, { flops: 0.7 }));
    const other = await made({ format: 2, steps: [{ do: "train", fit }] });
    await expect(replay({ model: small, from: other, workbench })).rejects.toThrow(
      "its history does not begin",
    );
  });

  it("on other data", async () => {
    const small = await made(long);
    const elsewhere = { ...workbench, data: async () => ({ ...data, checksum: "ffff0000ffff0000" }) };
    await expect(replay({ model: small, from: model, workbench: elsewhere })).rejects.toThrow(
      /the model was made with data synthetic with checksum .*, but this is synthetic, ffff0000ffff\./,
    );
  });

  it("where no recipe made it", async () => {
    const strategy = workbench.registry.strategy({ use: "unstructured" });
    const bare = prune(model, await meet({ sparsity: 0.5 }, strategy, { model }));
    await expect(replay({ model: bare, from: model, workbench })).rejects.toThrow(
      "entry 1 of the model's history (prune) was not made by a recipe",
    );
  });

  it("to a model that is another, without a word", async () => {
    const small = await made(once({ use: "unstructured" }, { sparsity: 0.5 }));
    const name = [...small.masks.keys()][0]!;
    const tensor = small.tensors.get(name)!;
    const tensors = new Map(small.tensors).set(name, {
      ...tensor,
      data: tensor.data.map((v) => v * 2),
    } as typeof tensor);
    const changed = { ...small, tensors };
    expect(digest(changed)).not.toBe(digest(small));
    await expect(replay({ model: changed, from: model, workbench })).rejects.toThrow("different weights");
  });
});
