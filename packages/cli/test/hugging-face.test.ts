import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { float32, reference, runModel, type TensorData } from "@espalier/core";
import { relativeError } from "@espalier/core/testing";
import { writeSafetensors } from "@espalier/formats";
import { loadModel, loadOnnx } from "@espalier/formats/node";
import { fromHuggingFaceConfig, huggingFacePatchTST } from "@espalier/models";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import forecasts from "../../models/test/torch/hugging-face.json" with { type: "json" };
import { checkpointOf, numbers, scaled } from "../../models/test/torch/numbers.ts";
import { espalier, temporaryFolder, words } from "./espalier.ts";

let cwd: string;
const at = (name: string) => join(cwd, name);
const run = (line: string) => espalier(words(line), { cwd });
const json = async (line: string) => {
  const { code, stdout, stderr } = await run(`${line} --json`);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout);
};

type Config = (typeof forecasts)[number]["config"];

/** Writes a folder as `save_pretrained` does. */
async function save(folder: string, config: Config): Promise<void> {
  const { options } = fromHuggingFaceConfig(config);
  const tensors = checkpointOf(huggingFacePatchTST(options).graph);
  await mkdir(at(folder), { recursive: true });
  await writeFile(at(`${folder}/config.json`), JSON.stringify(config));
  await writeFile(at(`${folder}/model.safetensors`), writeSafetensors(tensors, { format: "pt" }));
}

const history = ({ context_length, num_input_channels }: Config) =>
  scaled(numbers("x_enc", [2, context_length, num_input_channels]), 4, 1);

const expected = ({ prediction_length, num_input_channels }: Config, y: readonly number[]) =>
  float32([2, prediction_length, num_input_channels], y);

beforeAll(async () => {
  cwd = await temporaryFolder(afterAll);
  await save("saved", forecasts[0]!.config);
});

describe("a PatchTST that transformers saved", () => {
  it.each(forecasts)("forecasts as there: $title", async ({ title, config, y }) => {
    const name = title.replaceAll(/\W+/g, "-");
    await save(name, config);
    await json(`import ${name} --out ${name}.safetensors`);
    const model = await loadModel(at(`${name}.safetensors`));
    const output = (await runModel(model, reference, new Map([["x_enc", history(config)]]))).get("output")!;
    expect(relativeError(output, expected(config, y))).toBeLessThan(1e-5);
  });

  it("says which options its configuration has, and compares with an example", async () => {
    const { config, y } = forecasts[0]!;
    const listed = ({ shape, data }: TensorData) => ({ shape, data: [...data] });
    const example = { x_enc: listed(history(config)), output: listed(expected(config, y)) };
    await writeFile(at("example.json"), JSON.stringify(example));
    const { code, stdout } = await run("import saved --check example.json --out said.safetensors");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^HuggingFacePatchTST from saved$/m);
    expect(stdout).toMatch(/^in config\.json +inputLength 20, horizon 4, series 3, width 8/m);
    expect(stdout).toMatch(/^✓ agrees with example\.json to \d\.\de-\d/m);
    for (const line of stdout.split("\n")) expect(line.length).toBeLessThan(80);
  });

  it("is pruned by head, channel, depth and weight, tuned, and goes out as ONNX", async () => {
    await json("import saved --force --out m.safetensors");
    const data = "--dataset synthetic --series s1,s2,s3";
    for (const strategy of ["head", "channel", "depth", "unstructured"]) {
      const line = `prune m.safetensors --strategy ${strategy} --sparsity 0.15 ${data} --accept-nearest`;
      const { after } = await json(`${line} --force --out ${strategy}.safetensors`);
      expect(after.sparsity, strategy).toBeGreaterThan(0.05);
    }
    const tuned = await json(
      `prune m.safetensors --strategy channel --parameters 0.7 ${data} --accept-nearest --fine-tune 1 --batches-per-epoch 2 --out tuned.safetensors`,
    );
    expect(tuned.after.sparsity).toBeGreaterThan(0.2);
    await json("export tuned.safetensors --to onnx --out tuned.onnx");
    const inputs = new Map([["x_enc", history(forecasts[0]!.config)]]);
    const outputs = await Promise.all(
      [await loadModel(at("tuned.safetensors")), await loadOnnx(at("tuned.onnx"))].map(
        async (model) => (await runModel(model, reference, inputs)).get("output")!,
      ),
    );
    expect(relativeError(outputs[1]!, outputs[0]!)).toBeLessThan(1e-6);
  });
});

describe("a folder that is not understood ends in one line, and writes nothing:", () => {
  const config = forecasts[0]!.config;
  const weights = (name: string) => ({ [name]: writeSafetensors(new Map([["a", numbers("a", [2])]])) });
  const cases: [string, Record<string, string | Uint8Array>, string][] = [
    ["empty", {}, "config.json: no such file. A folder is read as Hugging Face's save_pretrained writes it"],
    ["text", { "config.json": "{" }, "config.json: not valid JSON."],
    ["deep", { "config.json": "[".repeat(100_000) }, "config.json: not valid JSON."],
    ["long", { "config.json": " ".repeat(2 ** 20 + 1) }, "1048577 bytes are too many for a configuration."],
    [
      "other",
      { "config.json": '{"model_type": "timesfm"}' },
      'config.json, model_type: "timesfm" is not one of these. Known: patchtst. Export the model as ONNX instead.',
    ],
    ["alone", { "config.json": JSON.stringify(config) }, "alone: no weights beside config.json"],
    [
      "shards",
      {
        "config.json": JSON.stringify(config),
        "model.safetensors.index.json": '{"weight_map": {"a": "../b"}}',
      },
      "weights in several files are not supported",
    ],
    [
      "foreign",
      { "config.json": JSON.stringify(config), ...weights("model.safetensors") },
      "this is not a checkpoint of HuggingFacePatchTST",
    ],
    [
      "bin",
      { "config.json": JSON.stringify(config), ...weights("pytorch_model.bin") },
      "bin/pytorch_model.bin: this is not a checkpoint of HuggingFacePatchTST",
    ],
  ];
  it.each(cases)("%s", async (folder, files, message) => {
    await mkdir(at(folder));
    for (const [name, content] of Object.entries(files)) await writeFile(at(`${folder}/${name}`), content);
    await refused(`import ${folder} --out new`, message);
  });

  it.each([
    [
      { num_hidden_layers: 900 },
      "num_hidden_layers: does not fit the weights beside it, whose shapes show layers 2",
    ],
    [{ share_embedding: false, num_input_channels: 1e6 }, "share_embedding: does not fit the weights"],
    [{ pooling_type: null }, '"head.projection.weight" has shape [4, 8], the model expects [4, 32]'],
    [{ context_length: 60 }, '"model.encoder.positional_encoder.position_enc"'],
  ])("%j beside weights of another model", async (settings, message) => {
    const learned = { ...forecasts[0]!.config, positional_encoding_type: "random" };
    await save("edited", learned as Config);
    await writeFile(at("edited/config.json"), JSON.stringify({ ...learned, ...settings }));
    await refused("import edited --out new", message);
  });

  it("options for other files are refused", async () => {
    await refused("import saved --model PatchTST --out new", "--model does not apply to a folder");
    await refused("import saved --open-batch --out new", "--open-batch only applies to ONNX files");
  });

  async function refused(line: string, message: string) {
    const { code, stdout, stderr } = await run(line);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^espalier: [^\n]+\n$/);
    expect(stderr).toContain(message);
    expect(await readdir(cwd)).not.toContain("new");
  }
});
