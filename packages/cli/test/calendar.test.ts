import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { loadModel } from "@espalier/formats/node";
import { expect, it } from "vitest";
import { espalier, temporaryFolder, words } from "./espalier.ts";

it("a model with calendar tables is trained, pruned and tuned, and comes back from ONNX", async () => {
  const cwd = await temporaryFolder();
  const json = async (line: string) => {
    const { code, stdout, stderr } = await espalier(words(`${line} --json`), { cwd });
    expect(code, stderr).toBe(0);
    return JSON.parse(stdout);
  };
  const sizes = "--set width=8 --set heads=2 --set feedForward=8 --set layers=1 --set labelLength=8";
  await json(
    `train --model Transformer --set timeEmbedding=learned ${sizes} --input-length 16 --horizon 4 --epochs 1 --batches-per-epoch 4 --learning-rate 0.01 --out m.safetensors`,
  );
  const model = await loadModel(join(cwd, "m.safetensors"));
  const table = model.tensors.get("enc_embedding.temporal_embedding.hour_embed.weight")!;
  expect(table.shape).toEqual([24, 8]);
  const { mse } = await json("evaluate m.safetensors");
  expect(mse).toBeGreaterThan(0);
  const { after } = await json(
    "prune m.safetensors --strategy channel --parameters 0.8 --accept-nearest --fine-tune 1 --batches-per-epoch 2 --out s.safetensors",
  );
  expect(after.sparsity).toBeGreaterThan(0.1);
  const small = await loadModel(join(cwd, "s.safetensors"));
  expect(small.tensors.get("enc_embedding.temporal_embedding.hour_embed.weight")!.shape[1]).toBeLessThan(8);
  await json("export s.safetensors --to onnx --out s.onnx");
  await json("import s.onnx --out back.safetensors");
  const [there, back] = [
    await json("evaluate s.safetensors"),
    await json("evaluate back.safetensors --dataset synthetic"),
  ];
  expect(back.mse).toBeCloseTo(there.mse, 5);
});

it.each([
  ["Informer", "10 minutes", 600_000, 5],
  ["TimeXer", "days", 86_400_000, 3],
  ["Autoformer", "no dates", undefined, 0],
])("a new %s takes as many time marks as rows of %s have", async (model, _, step, marks) => {
  const cwd = await temporaryFolder();
  const rows = Array.from({ length: 200 }, (_, t) => {
    const date = step === undefined ? "" : `${new Date(1.7e12 + t * step).toISOString()},`;
    return `${date}${Math.sin(t / 5).toFixed(4)},${Math.cos(t / 7).toFixed(4)}`;
  });
  const header = step === undefined ? "a,b" : "date,a,b";
  await writeFile(join(cwd, "d.csv"), `${header}\n${rows.join("\n")}\n`);
  const label = model === "TimeXer" ? "" : "--set labelLength=8";
  const { code, stderr } = await espalier(
    words(
      `train --dataset d.csv --model ${model} --set width=8 --set heads=2 --set feedForward=8 ${label} --input-length 16 --horizon 4 --epochs 1 --batches-per-epoch 1 --out m.safetensors`,
    ),
    { cwd },
  );
  expect(code, stderr).toBe(0);
  expect((await loadModel(join(cwd, "m.safetensors"))).options).toMatchObject({ marks });
});
