import { copyFile, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { float32, isKept, randomInputs, reference, runModel } from "@espalier/core";
import { relativeError } from "@espalier/core/testing";
import { readSafetensors, writeSafetensors, writeTflite } from "@espalier/formats";
import { loadModel, loadOnnx } from "@espalier/formats/node";
import { iTransformer, patchTST } from "@espalier/models";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { espalier, temporaryFolder, tinyTrain, words } from "./espalier.ts";
import forecast from "./pytorch/forecast.json" with { type: "json" };

const fixtures = fileURLToPath(new URL("../../formats/test", import.meta.url));
const sizes = { width: 12, heads: 3, feedForward: 10, horizon: 5 };

/** A folder with a pruned model, weights and files of other tools. */
let cwd: string;
const at = (name: string) => join(cwd, name);
const run = (line: string) => espalier(words(line), { cwd });
const json = async (line: string) => {
  const { code, stdout, stderr } = await run(`${line} --json`);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout);
};

beforeAll(async () => {
  cwd = await temporaryFolder(afterAll);
  await espalier(tinyTrain("m.safetensors", "--epochs 1"), { cwd });
  await json(
    "prune m.safetensors --strategy channel --strategy unstructured --sparsity 0.6 --out s.safetensors",
  );
  const weights = iTransformer({ ...sizes, inputLength: 9, series: 2 }).initialize(1);
  await writeFile(at("w.safetensors"), writeSafetensors(weights.tensors));
  for (const file of ["onnx/encoder-ts-15-fixed.onnx", "onnx/external.onnx", "onnx/external.onnx.data"])
    await copyFile(join(fixtures, file), at(file.slice(5)));
  await copyFile(join(fixtures, "pytorch/module.pth"), at("module.pth"));
  await copyFile(fileURLToPath(new URL("pytorch/checkpoint.pth", import.meta.url)), at("checkpoint.pth"));
  await mkdir(at("folder"));
  await writeFile(at("folder/mine.txt"), "mine");
});

describe("export", () => {
  it("to ONNX gives a file of the size it says, with the model's outputs", async () => {
    const { stdout, code } = await run("export s.safetensors --to onnx --opset 17 --out s.onnx");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^iTransformer as ONNX\n3,\d+ of 9,606 parameters, sparsity 60\.\d %\n/);
    expect(stdout).toMatch(/^channel: \d+ of 64 left in 1 dimension$/m);
    expect(stdout).toMatch(/^masks on \d+ tensors/m);
    const result = await json("export s.safetensors --to onnx --force --out s.onnx");
    expect(result).toMatchObject({ format: "onnx", written: ["s.onnx"] });
    expect(result.writtenBytes).toBe((await stat(at("s.onnx"))).size);
    expect(result.fileBytes).toBe((await stat(at("s.safetensors"))).size);
    const [model, back] = [await loadModel(at("s.safetensors")), await loadOnnx(at("s.onnx"))];
    expect(result.unpruned).toEqual(model.dense);
    const inputs = randomInputs(model);
    const [a, b] = [await runModel(back, reference, inputs), await runModel(model, reference, inputs)];
    expect(relativeError(a.get("output")!, b.get("output")!)).toBeLessThan(1e-6);
  });

  it("with float16 weights says what that changes on the data the model knows", async () => {
    const { float16, writtenBytes } = await json(
      "export s.safetensors --to onnx --weights float16 --out h.onnx",
    );
    expect(writtenBytes).toBeLessThan((await stat(at("s.onnx"))).size);
    const { mse } = await json("evaluate s.safetensors");
    expect(float16).toMatchObject({ measured: "test", data: "synthetic", before: { mse } });
    expect(float16.after.mse).not.toBe(mse);
    expect(float16.after.mse / mse).toBeCloseTo(1, 2);
    const { stdout } = await run("export s.safetensors --to onnx --weights float16 --force --out h.onnx");
    expect(stdout).toMatch(/^test MSE, synthetic +\d\.\d+ +\d\.\d+ +[+−]\d/m);
  });

  it("with float16 weights compares outputs where there is no data, and says so", async () => {
    await json("import encoder-ts-15-fixed.onnx --open-batch --out e.safetensors");
    const { float16 } = await json("export e.safetensors --to onnx --weights float16 --out e.onnx");
    expect(float16).toMatchObject({ measured: "outputs", reason: expect.stringContaining("Give --dataset") });
    expect(float16.change).toBeGreaterThan(0);
    expect(float16.change).toBeLessThan(2 ** -8);
    const { stdout } = await run("export e.safetensors --to onnx --weights float16 --force --out e.onnx");
    expect(stdout).toMatch(
      /change outputs by at most \d.* random inputs\nthe test error was not measured: the model/,
    );
  });

  it("stores weights as int8 in a model file, and says what that changes", async () => {
    const { int8, writtenBytes } = await json(
      "export s.safetensors --to safetensors --store int8 --out i.safetensors",
    );
    expect(int8).toMatchObject({ weights: "int8", measured: "test", data: "synthetic" });
    expect(writtenBytes).toBeLessThan(0.7 * (await stat(at("s.safetensors"))).size);
    expect(await json("evaluate i.safetensors")).toMatchObject({ mse: int8.after.mse });
    expect((await run("inspect i.safetensors")).stdout).toContain("rounded to int8, a scale for each output");
    const line = "prune m.safetensors --strategy unstructured --sparsity 0.6 --out p.safetensors --force";
    const { stored, after } = await json(`${line} --store int8`);
    expect(stored.fileBytes).toBe((await stat(at("p.safetensors"))).size);
    expect(stored.fileBytes).toBeLessThan(0.7 * after.fileBytes);
    expect(await json("evaluate p.safetensors")).toMatchObject({ mse: stored.after.mse });
    const { stdout } = await run(`${line} --store float16`);
    expect(stdout).toMatch(/^ +float32 +float16 +change\nbytes on disk .*\ntest MSE, synthetic/m);
  });

  it("to TensorFlow.js writes a folder, and replaces no other", async () => {
    const { writtenBytes } = await json("export s.safetensors --to tfjs --out web");
    const files = await readdir(at("web"));
    expect(files).toContain("model.json");
    const bytes = await Promise.all(files.map(async (name) => (await stat(at(`web/${name}`))).size));
    expect(writtenBytes).toBe(bytes.reduce((sum, size) => sum + size, 0));
    expect((await run("export s.safetensors --to tfjs --out web --force")).code).toBe(0);
  });

  it("to LiteRT writes a file for a fixed number of windows", async () => {
    const { format, writtenBytes } = await json("export s.safetensors --to tflite --batch 3 --out s.tflite");
    expect(format).toBe("tflite");
    const file = await readFile(at("s.tflite"));
    expect(file.length).toBe(writtenBytes);
    expect(new Uint8Array(file)).toEqual(writeTflite(await loadModel(at("s.safetensors")), { batch: 3 }));
  });

  it("to safetensors has every tensor in full, zeros where weights are masked", async () => {
    await json("export s.safetensors --to safetensors --out full.safetensors");
    const { tensors } = readSafetensors(await readFile(at("full.safetensors")));
    const model = await loadModel(at("s.safetensors"));
    expect(model.masks.size).toBeGreaterThan(0);
    for (const { name } of model.graph.tensors) {
      expect(tensors.get(name)).toEqual(model.tensors.get(name));
      const mask = model.masks.get(name);
      tensors.get(name)!.data.forEach((value, i) => {
        if (mask !== undefined && !isKept(mask, i)) expect(value).toBe(0);
      });
    }
  });
});

describe("import", () => {
  it("takes an ONNX file as it is, also with its numbers beside it", async () => {
    const { stdout } = await run("import encoder-ts-15-fixed.onnx --open-batch --force --out e.safetensors");
    for (const part of [
      /^trained +1,048 parameters in \d+ tensors$/m,
      /^in +x +\[batch, 12, 3\]$/m,
      /MatMul × 8/,
      /^head +1 +2 +\d+ %$/m,
      /^block \(depth\) +2 +1 attention, 1 feed-forward$/m,
      /^reaches the output /m,
      /^Not compared with expected outputs/m,
    ])
      expect(stdout).toMatch(part);
    for (const line of stdout.split("\n")) expect(line.length).toBeLessThan(80);
    const result = await json("import external.onnx --out external.safetensors");
    expect(result.written).toEqual(["external.safetensors"]);
    const model = await loadModel(at("external.safetensors"));
    expect(model.tensors).toEqual((await loadOnnx(at("external.onnx"))).tensors);
  });

  it("compares outputs with those of a file, and writes no model that gives others", async () => {
    const line = "import encoder-ts-15-fixed.onnx --open-batch --out checked.safetensors";
    const model = await loadOnnx(at("encoder-ts-15-fixed.onnx"), { openBatch: true });
    const inputs = randomInputs(model, 3);
    const outputs = await runModel(model, reference, inputs);
    const listed = (arrays: typeof outputs) =>
      Object.fromEntries([...arrays].map(([name, { shape, data }]) => [name, { shape, data: [...data] }]));
    const document = { inputs: listed(inputs), outputs: listed(outputs) };
    await writeFile(at("right.json"), JSON.stringify(document));
    const { parity } = await json(`${line} --check right.json`);
    expect(parity).toMatchObject([{ file: "right.json", backend: "wasm", against: "file", samples: 3 }]);
    const [name, output] = Object.entries(document.outputs)[0]!;
    expect(parity[0].errors[name]).toBeLessThan(1e-5);
    output.data[0]! += 100;
    await writeFile(at("wrong.json"), JSON.stringify(document));
    const wrong = await run(`${line.replace("checked", "unchecked")} --check wrong.json`);
    expect(wrong).toMatchObject({ code: 1, stdout: "" });
    expect(wrong.stderr).toMatch(/wrong\.json: output ".*" differs from the expected one by \d/);
    expect(await readdir(cwd)).not.toContain("unchecked.safetensors");
    await writeFile(at("inputs.json"), JSON.stringify({ x: document.inputs.x }));
    const { stdout } = await run(`${line} --check inputs.json --force`);
    expect(stdout).toMatch(
      /^✓ inputs\.json has inputs only: agrees with the reference to \S+ \(3 samples, wasm\)$/m,
    );
  });

  it("takes what is trained from patterns, and refuses one that no tensor has", async () => {
    const line = "import encoder-ts-15-fixed.onnx --open-batch --force --out e.safetensors";
    const { trained } = await json(line);
    const fewer = await json(`${line} --buffers *.bias`);
    expect(fewer.trained.parameters).toBeLessThan(trained.parameters);
    expect(fewer.buffers.tensors).toBeGreaterThan(0);
    const { stderr } = await run(`${line} --trainable nothing.*`);
    expect(stderr).toMatch(/no tensor whose role is open has a name that matches "nothing\.\*"/);
  });

  it("reads sizes off the shapes of weights, and names what it cannot see", async () => {
    const asked = await run("import w.safetensors --model itransformer --set series=2 --out w2.safetensors");
    expect(asked).toMatchObject({
      code: 1,
      stdout: "",
      stderr:
        "espalier: w.safetensors: the shapes of iTransformer's weights leave options open. Give --set marks=… --set heads=…\n",
    });
    const given = "--set series=2 --set heads=3 --set marks=0";
    const result = await json(`import w.safetensors --model itransformer ${given} --out w2.safetensors`);
    expect(result).toMatchObject({
      model: "iTransformer",
      seen: { inputLength: 9, horizon: 5, width: 12, feedForward: 10, layers: 2 },
      given: { series: 2, heads: 3, marks: 0 },
      assumed: { activation: "gelu", normalize: true },
    });
    expect(result.prunable).toContainEqual(expect.objectContaining({ kind: "head", dimensions: 2, size: 6 }));
    const model = await loadModel(at("w2.safetensors"));
    const drawn = iTransformer({ ...sizes, inputLength: 9, series: 2 }).initialize(1);
    expect(model.tensors).toEqual(drawn.tensors);
    const { stdout } = await run(`import w.safetensors --model itransformer ${given} --out w3.safetensors`);
    expect(stdout).toMatch(/^seen in shapes +inputLength 9, horizon 5, width 12, /m);
    expect(stdout).toMatch(/^by default +activation gelu, normalize true$/m);
  });

  it("takes a whole model that PyTorch saved, which forecasts here as there, and is pruned", async () => {
    const line = "import checkpoint.pth --model iTransformer --set series=3 --set heads=2 --set marks=0";
    expect(await json(`${line} --out torch.safetensors`)).toMatchObject({
      seen: { inputLength: 24, horizon: 6, width: 8, feedForward: 12, layers: 2 },
    });
    const model = await loadModel(at("torch.safetensors"));
    const inputs = new Map([["x_enc", float32([2, 24, 3], forecast.x)]]);
    const output = (await runModel(model, reference, inputs)).get("output")!;
    expect(relativeError(output, float32([2, 6, 3], forecast.y))).toBeLessThan(1e-5);
    const pruned = await json(
      "prune torch.safetensors --strategy head --flops 0.8 --accept-nearest --out torch-small.safetensors",
    );
    expect(pruned.after.sparsity).toBeGreaterThan(0.1);
  });

  it("takes what was exported: weights in full are a model still", async () => {
    const { stderr } = await run("import full.safetensors --out again.safetensors");
    expect(stderr).toMatch(/^espalier: full.safetensors is already an Espalier model/);
  });
});

describe("inspect --backend", () => {
  it("shows kernels, weight formats, densities and costs by node, and memory", async () => {
    const program = await json("inspect s.safetensors --backend wasm --batch 8");
    expect(program).toMatchObject({ name: "iTransformer", backend: "wasm", batch: 8, part: 8 });
    for (const bytes of [program.bytes.arena, program.bytes.weights]) expect(bytes).toBeGreaterThan(0);
    const product = { kernel: expect.any(String), format: expect.any(String), density: expect.any(Number) };
    expect(program.calls).toContainEqual({
      node: "projection/MatMul",
      ...product,
      cost: expect.any(Number),
    });
    const { stdout } = await run("inspect s.safetensors --backend wasm");
    expect(stdout).toMatch(
      /^iTransformer on wasm, batch 1\n\d+ calls; 8 products with weights, expected [^,]+, by rates of AMD EPYC,\s+Node/,
    );
    expect(stdout).toMatch(/^projection\/MatMul +\w+ +\w+ +\d+ % +[\d.]+ [nµm]s$/m);
    expect(stdout).toMatch(/^weights, packed +[\d.]+ kB$/m);
  });

  it("tells what threads share", async () => {
    const program = await json("inspect s.safetensors --backend wasm --threads 2 --batch 2");
    expect(program).toMatchObject({ backend: "wasm:2", threads: 2 });
    const { stdout } = await run("inspect s.safetensors --backend wasm --threads 2");
    expect(stdout).toMatch(/^2 threads share \d+ of the calls$/m);
  });

  it("of a model that is drawn", async () => {
    const line = "inspect --model PatchTST --set width=8 --set heads=2 --set layers=1 --backend wasm";
    const { calls } = await json(line);
    const { graph } = patchTST({ width: 8, heads: 2, layers: 1 }).initialize(0);
    const nodes = new Set(graph.nodes.map(({ name }) => name));
    expect(calls.filter(({ node }: { node: string }) => nodes.has(node)).length).toBeGreaterThan(10);
  });
});

describe("bad input ends in one line, and writes nothing:", () => {
  it.each([
    ["export s.safetensors --to onnx", "give --out PATH for the file or folder to write"],
    ["export s.safetensors --out new", "give --to onnx, --to tfjs, --to tflite or --to safetensors."],
    ["export s.safetensors --to onxx --out new", "Allowed choices are onnx, tfjs, tflite, safetensors."],
    ["export s.safetensors --to tfjs --weights float16 --out new", "--weights only applies with --to onnx"],
    ["export s.safetensors --to tfjs --store int8 --out new", "--store only applies with --to safetensors"],
    ["export s.safetensors --to onnx --batch 2 --out new", "--batch only applies with --to tflite"],
    ["export s.safetensors --to onnx --opset 9 --out new", "ONNX export, opset: must be 17 to 21."],
    [
      "export s.safetensors --to onnx --dataset synthetic --out new",
      "--dataset only applies with --weights float16 or --store",
    ],
    [
      "export s.safetensors --to onnx --weights float16 --dataset ETTh --out new",
      'dataset "ETTh" is not known.',
    ],
    ["export s.safetensors --to onnx --out m.safetensors", "m.safetensors exists. Give --force"],
    ["export s.safetensors --to tfjs --out folder --force", "folder is a folder that holds other files."],
    ["export no.safetensors --to tfjs --out new", "no.safetensors: no such file."],
    ["import w.safetensors --model iTransformer", "give --out FILE for the model"],
    ["import w.safetensors --out new", "Give --model NAME, such as --model PatchTST."],
    ["import w.safetensors --model iTrans --out new", 'model "iTrans" is not known.'],
    [
      "import module.pth --model PatchTST --out new",
      'module.pth: this is not a checkpoint of PatchTST: "patch_embedding',
    ],
    [
      "import w.safetensors --model iTransformer --set heads=3 --set series=2 --set marks=0 --set widht=1 --out new",
      'model "iTransformer", widht: is not known. Did you mean "width"?',
    ],
    [
      "import w.safetensors --model iTransformer --set heads=5 --set series=2 --set marks=0 --out new",
      "width: must be a multiple of heads",
    ],
    ["import w.safetensors --open-batch --out new", "--open-batch only applies to ONNX files"],
    ["import external.onnx --model PatchTST --out new", "--model only applies to weights"],
    ["import external.onnx --axis a=b --out new", "ONNX import, axes.a: "],
    ["import external.onnx --out m.safetensors", "m.safetensors exists. Give --force"],
    ["import no.onnx --out new", "no.onnx: no such file."],
    ["inspect s.safetensors --backend reference", "backend reference cannot describe its program"],
    ["inspect s.safetensors --threads 2", "--threads only applies with --backend."],
    [
      "inspect s.safetensors --backend tfjs-wasm --threads 2",
      "--threads 2: only wasm runs on several threads, not tfjs-wasm. Drop it.",
    ],
    ["inspect s.safetensors --backend wsm", 'backend "wsm" is not known. Did you mean "wasm"?'],
    ["inspect s.safetensors --batch 4", "--batch only applies with --backend."],
  ])("%s", async (line, message) => {
    const before = await readdir(cwd);
    const { code, stdout, stderr } = await run(line);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^espalier: [^\n]+\n$/);
    expect(stderr).toContain(message);
    expect(await readdir(cwd)).toEqual(before);
    expect(await readFile(at("folder/mine.txt"), "utf8")).toBe("mine");
  });
});
