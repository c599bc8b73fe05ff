import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { espalier, temporaryFolder, tinyTrain, words } from "./espalier.ts";

let cwd: string;
const run = (line: string) => espalier(words(line), { cwd });
const bytes = (name: string) => readFile(join(cwd, name));

const recipe = `
target: { bytes: 0.3 }
seed: 2
steps:
  - { do: prune, strategy: { use: channel, criterion: taylor }, target: { flops: 0.7 }, reconstruct: { batches: 2 } }
  - { do: tune, fit: { epochs: 1, batchesPerEpoch: 3 } }
  - do: tune
    fit: { epochs: 2, batchesPerEpoch: 3 }
    distill: 0.5
    masks: { strategy: { use: unstructured }, every: 1 }
`;

beforeAll(async () => {
  cwd = await temporaryFolder(afterAll);
  await writeFile(join(cwd, "steps.yaml"), recipe);
  expect(await espalier(tinyTrain("m.safetensors", "--epochs 1"), { cwd })).toMatchObject({ code: 0 });
  const line = "prune m.safetensors --recipe steps.yaml --out small.safetensors";
  expect(await run(line)).toMatchObject({ code: 0 });
});

describe("espalier replay", () => {
  it("makes a whole recipe's model again, to the same bytes, and says each step", async () => {
    const { code, stdout, stderr } = await run(
      "replay small.safetensors --from m.safetensors --out again.safetensors",
    );
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(
      /^iTransformer, replayed from m.safetensors\n {2}1 {2}prune by channel [\s\S]*\n {2}2 {2}tune for 1 epoch [\s\S]*\n {2}3 {2}tune for 2 epochs [\s\S]*\nidentical to small.safetensors, byte for byte; written to again.safetensors\n$/,
    );
    expect(await bytes("again.safetensors")).toEqual(await bytes("small.safetensors"));
    const json = await run("replay small.safetensors --from m.safetensors --json");
    expect(JSON.parse(json.stdout)).toMatchObject({
      from: "m.safetensors",
      written: [],
      steps: [{}, {}, {}],
    });
  });

  it("repeats rounding, before and after a recipe, and gives the same file", async () => {
    const lines = [
      "export m.safetensors --to safetensors --store float16 --out half.safetensors",
      "prune half.safetensors --strategy unstructured --sparsity 0.5 --store int8 --out tiny.safetensors",
      "replay tiny.safetensors --from m.safetensors --out twice.safetensors",
    ];
    for (const line of lines) expect(await run(line)).toMatchObject({ code: 0 });
    expect(await bytes("twice.safetensors")).toEqual(await bytes("tiny.safetensors"));
  });

  it.each([
    [
      "a model it was not made from",
      "replay m.safetensors --from small.safetensors",
      "was not made from this model",
    ],
    [
      "other series",
      "replay small.safetensors --from m.safetensors --series s1,s2,s3,s4,s5,s7,s6",
      "the replay gave different weights.",
    ],
    [
      "nothing to begin with",
      "replay small.safetensors",
      "give --from FILE, the model that this one was made from",
    ],
  ])("refuses %s in one line", async (_, line, message) => {
    const { code, stdout, stderr } = await run(line);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr.trim().split("\n").at(-1)).toContain(message);
  });
});
