import { readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { float32, type TensorData } from "@espalier/core";
import { type RawBytes, readSafetensors, writeSafetensors } from "@espalier/formats";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { espalier, temporaryFolder, tinyModel, tinyTrain, words } from "./espalier.ts";

/** A folder with a trained model, and with everything that can be wrong with files. */
let cwd: string;

beforeAll(async () => {
  cwd = await temporaryFolder(afterAll);
  expect(await espalier(tinyTrain("m.safetensors", "--epochs 1"), { cwd })).toMatchObject({ code: 0 });
  const model = await readFile(join(cwd, "m.safetensors"));
  const { tensors, bytes, metadata } = readSafetensors(model);
  const all = new Map<string, TensorData | RawBytes>([...tensors, ...bytes]);
  const files: Record<string, string | Uint8Array> = {
    "truncated.safetensors": model.subarray(0, model.length - 100),
    "foreign.safetensors": writeSafetensors(new Map([["a", float32([2], [1, 2])]])),
    "newer.safetensors": writeSafetensors(all, { ...metadata, "espalier.version": "9" }),
    "other.safetensors": writeSafetensors(tensors),
    "text.txt": "no model",
    "words.csv": rows(400, (i) => (i === 57 ? "1,seven" : `${i},${i % 7}`)),
    "gaps.csv": rows(400, (i) => (i === 57 ? "1," : `${i},${i % 7}`)),
    "short.csv": rows(30, (i) => `${i % 5},${i % 7}`),
    "plan.json": "{}",
    "newer.json": '{"format": 9}',
    "results.jsonl": "not json\n",
    "sweep.yaml": "models: []\n",
    "colon.yaml": "a: b: c\n",
    "small.yaml":
      "models: [{ use: DLinear }, { use: iTransformer, label: wide }]\ndatasets: [synthetic]\nstrategies: [{ use: unstructured }]\ntargets: [{ sparsity: 0.5 }]\ninputLength: 24\nhorizon: 6\n",
    "ETTh1.csv": "date,HUFL\n2016-07-01,1\n",
    "taken.safetensors": "mine",
    "held.safetensors.lock": JSON.stringify({
      pid: process.pid,
      host: hostname(),
      since: "2026-01-01T00:00:00.000Z",
      token: "a",
    }),
  };
  for (const [name, content] of Object.entries(files)) await writeFile(join(cwd, name), content);
  await symlink("m.safetensors", join(cwd, "link.safetensors"));
});

function rows(count: number, row: (i: number) => string): string {
  return `a,b\n${Array.from({ length: count }, (_, i) => row(i + 2)).join("\n")}\n`;
}

const prune = (line: string) => words(`prune m.safetensors ${line} --out new.safetensors`);
const train = (line: string) => tinyTrain("new.safetensors", line);

describe("bad input ends in one line and exit code 1, and writes nothing:", () => {
  it.each<[string, string[], string | RegExp]>([
    [
      "an unknown strategy",
      prune("--strategy chanel --sparsity 0.5"),
      'strategy "chanel" is not known. Did you mean "channel"? Known: channel, combined, depth, head, unstructured (and any package given by --plugin).',
    ],
    [
      "an unknown criterion",
      prune("--strategy head --criterion l3 --sparsity 0.5"),
      'criterion "l3" is not known. Did you mean "l1"?',
    ],
    [
      "an unknown option of a strategy",
      prune("--strategy channel --set multipleof=8 --sparsity 0.5"),
      'option "multipleof" is not known. Did you mean "multipleOf"?',
    ],
    [
      "a setting of a strategy that is not used",
      prune("--strategy head --set channel.seed=1 --sparsity 0.5"),
      'strategy "channel" is not known. Known: head.',
    ],
    [
      "a pattern to keep that matches nothing",
      prune("--strategy unstructured --keep encoder.attn_layer.* --sparsity 0.5"),
      '--strategy: keep "encoder.attn_layer.*" matches no tensor, dimension or module of the model. Did you mean "encoder.attn_layers.*"?',
    ],
    [
      "a pattern that keeps every weight",
      prune("--strategy unstructured --set structure=9:4 --sparsity 0.5"),
      "n must be less than m, as in 2:4",
    ],
    [
      "settings of a training without epochs",
      words("train --model DLinear --epochs 0 --learning-rate 0.1 --out new.safetensors"),
      "--learning-rate has nothing to train with --epochs 0. Drop one of them.",
    ],
    [
      "a model of more layers than anything could draw",
      words("train --model iTransformer --set layers=100000000 --out new.safetensors"),
      'model "iTransformer", layers: expected at most 1000, found 100000000.',
    ],
    [
      "a model that memory cannot hold",
      words("train --model iTransformer --set width=1000000 --out new.safetensors"),
      /tensor "encoder.attn_layers.0.attention.query_projection.weight" \[1000000, 1000000\] and what was drawn before it would take 4,000.* GB of memory; a model can have at most .* GB here. Choose smaller sizes./,
    ],
    [
      "a file that another process writes",
      words("train --model DLinear --out held.safetensors"),
      `held.safetensors is in use by process ${process.pid} since 2026-01-01T00:00:00.000Z. Wait for it, or give another place.`,
    ],
    ["a sparsity of 1", prune("--strategy head --sparsity 1"), "target sparsity 1 is outside [0, 1)."],
    [
      "a sparsity below 0",
      prune("--strategy head --sparsity -0.1"),
      "target sparsity -0.1 is outside [0, 1).",
    ],
    ["a sparsity as a percentage", prune("--strategy head --sparsity 80"), "Did you mean 0.8?"],
    [
      "no target",
      prune("--strategy head"),
      "no target: give --sparsity, --parameters, --flops, --bytes or --latency, or --plan.",
    ],
    [
      "a batch without what is measured",
      prune("--strategy head --sparsity 0.5 --batch 8"),
      "--batch only applies with --latency.",
    ],
    [
      "an unknown backend to measure on",
      prune("--strategy head --latency 0.5 --latency-backend wasn"),
      'backend "wasn" is not known. Did you mean "wasm"?',
    ],
    ["no strategy", prune("--sparsity 0.5"), "give --strategy: channel, combined, depth, head, unstructured"],
    [
      "nowhere to write",
      words("prune m.safetensors --strategy head --sparsity 0.5"),
      "give --out FILE for the pruned model",
    ],
    [
      "steps without fine-tuning",
      prune("--strategy head --sparsity 0.5 --steps 2"),
      "--steps only applies with --fine-tune.",
    ],
    [
      "a plan of several stages",
      prune("--strategy head --sparsity 0.5 --steps 2 --fine-tune 1 --plan-out p.json"),
      "--plan-out writes the plan of one pruning step; this recipe has 2. Drop it.",
    ],
    [
      "training settings without training",
      prune("--strategy head --sparsity 0.5 --learning-rate 0.01"),
      "--learning-rate only applies with --fine-tune.",
    ],
    [
      "reconstruction of nothing",
      prune("--strategy unstructured --sparsity 0.5 --gradual --fine-tune 1 --reconstruct"),
      "--reconstruct has nothing to refit: with --gradual nothing is pruned before.",
    ],
    [
      "masks by a strategy that removes",
      prune("--strategy channel --sparsity 0.5 --gradual --fine-tune 1"),
      '--strategy: "channel" removes parts of the model; only weights can be masked step by step. Prune by it first.',
    ],
    [
      "a strategy beside a plan",
      prune("--plan plan.json --strategy head"),
      "--strategy cannot be combined with --plan, which already says what to prune.",
    ],
    [
      "no unfinished pruning",
      prune("--strategy head --sparsity 0.5 --fine-tune 1 --resume"),
      /new.safetensors.checkpoint: there is no unfinished run to resume. Drop --resume./,
    ],
    ["what is no plan", prune("--plan plan.json"), "plan plan.json: not an Espalier plan"],
    [
      "a plan of a newer format",
      prune("--plan newer.json"),
      "plan newer.json: plan format 9 is newer than this version of Espalier knows (1). Update Espalier.",
    ],
    [
      "a plug-in that is not there",
      prune("--strategy x --sparsity 0.5 --plugin @nobody/strategy"),
      "plugin @nobody/strategy: no such file, and no package of that name is installed here.",
    ],
    [
      "an unknown model",
      train("--model iTransfomer"),
      'model "iTransfomer" is not known. Did you mean "iTransformer"? Known: PatchTST',
    ],
    [
      "an unknown option of a model",
      train("--set widht=8"),
      'model "iTransformer", widht: is not known. Did you mean "width"?',
    ],
    [
      "an option of a model that is no number",
      train("--set width=wide"),
      'model "iTransformer", width: expected a number, found "wide".',
    ],
    ["an unknown data set", train("--dataset ETTh"), 'dataset "ETTh" is not known. Did you mean "ETTh1"?'],
    ["an unknown series", train("--series s1,s9"), 'series "s9" is not known. Did you mean "s1"?'],
    [
      "an unknown backend",
      train("--backend tfjs-wsm"),
      'backend "tfjs-wsm" is not known. Did you mean "tfjs-wasm"?',
    ],
    [
      "text in a CSV",
      train("--dataset words.csv"),
      'data words.csv, row 57, column "b": "seven" is not a number.',
    ],
    [
      "a gap in a CSV",
      train("--dataset gaps.csv"),
      'data gaps.csv, row 57, column "b": is empty. Give --missing forward-fill, or --missing drop.',
    ],
    [
      "a CSV too short for its windows",
      train("--dataset short.csv"),
      /data short.csv: 30 rows leave 21 for the training split; inputLength 24 \+ horizon 6 needs at least 30/,
    ],
    ["a CSV that is not there", train("--dataset no.csv"), /data no.csv: there is no file .*no.csv/],
    [
      "a checksum that does not match",
      train("--dataset ETTh1"),
      /data ETTh1: .*ETTh1.csv has sha256 [0-9a-f]{64}, expected f18de3ad/,
    ],
    [
      "a file that exists",
      ["train", ...tinyModel, ...words("--out taken.safetensors")],
      /taken.safetensors exists. Give --force to replace it, or choose another name./,
    ],
    ["a folder that does not", tinyTrain("no/m.safetensors"), /no such folder: .*no. Create it first./],
    ["no model file", words("inspect no.safetensors"), /model file .*no.safetensors: no such file./],
    [
      "a truncated model file",
      words("inspect truncated.safetensors"),
      /model file .*truncated.safetensors: not a valid safetensors file: .*truncated/,
    ],
    [
      "a foreign safetensors file",
      words("evaluate foreign.safetensors"),
      /foreign.safetensors: this safetensors file holds tensors but no Espalier model/,
    ],
    [
      "a file that is no safetensors",
      words("predict text.txt --input short.csv"),
      /text.txt: not a valid safetensors file/,
    ],
    [
      "a model file of a newer format",
      words("inspect newer.safetensors"),
      /model format 9 is newer than this version of Espalier knows \(2\). Update Espalier./,
    ],
    [
      "a checkpoint with other names",
      words("inspect --model PatchTST --from other.safetensors"),
      /the checkpoint does not fit PatchTST: ".*" \[.*\] is missing; .*; and \d+ more/,
    ],
    [
      "a checkpoint with other shapes",
      ["inspect", ...tinyModel, ...words("--set width=16 --from other.safetensors")],
      '"enc_embedding.value_embedding.weight" has shape [32, 24], the model expects [16, 24]',
    ],
    [
      "a forecast of other series",
      words("predict m.safetensors --input short.csv"),
      'series "s1" is not known. Known: a, b.',
    ],
    [
      "data that is not the model's",
      words("evaluate m.safetensors --dataset gaps.csv --missing drop"),
      'series "s1" is not known',
    ],
    [
      "a model that a sweep's file lacks",
      words("sweep small.yaml --models PatchTST --out out"),
      '--models: "PatchTST" is not in small.yaml, which has DLinear, wide.',
    ],
    [
      "a strategy that a sweep's file lacks",
      words("sweep small.yaml --strategies head --out out"),
      '--strategies: "head" is not in small.yaml, which has unstructured.',
    ],
    [
      "a topic of help that is none",
      words("help trian"),
      'command "trian" is not known. Did you mean "train"?',
    ],
    [
      "one file for two outputs",
      prune("--strategy head --sparsity 0.5 --plan-out ./new.safetensors"),
      "--out and --plan-out are both ./new.safetensors. Give each a file of its own.",
    ],
    [
      "a forecast in the place of its input",
      words("predict m.safetensors --input words.csv --out words.csv --force"),
      "--out is words.csv, which is read as --input. Give another name.",
    ],
    [
      "a pruned model in the place of the model, by a link",
      words("prune m.safetensors --strategy head --sparsity 0.5 --out link.safetensors --force"),
      "--out is link.safetensors, which is read as the model. Give another name.",
    ],
    ["an empty sweep", words("sweep sweep.yaml --out out"), /sweep sweep.yaml, line 1, models: /],
    ["a sweep that is no YAML", words("sweep colon.yaml --out out"), /sweep colon.yaml, line 1: /],
    [
      "an unknown preset",
      words("sweep --preset quik --out out"),
      'preset "quik" is not known. Did you mean "quick"?',
    ],
    [
      "an unknown model in a sweep",
      words("sweep --models PatchTS --out out"),
      'model "PatchTS" is not known. Did you mean "PatchTST"?',
    ],
    [
      "damaged results",
      words("report results.jsonl --out out"),
      /results.jsonl, line 1: not a results record/,
    ],
    ["a folder without reference numbers", words("verify ."), /not a folder of reference numbers/],
  ])("%s", async (_, args, message) => {
    const before = await readdir(cwd);
    const { code, stdout, stderr } = await espalier(args, { cwd, env: { ESPALIER_DATA: "." } });
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^espalier: [^\n]+\n$/);
    if (typeof message === "string") expect(stderr).toContain(message);
    else expect(stderr).toMatch(message);
    expect(await readdir(cwd)).toEqual(before);
    expect(await readFile(join(cwd, "taken.safetensors"), "utf8")).toBe("mine");
  });

  it
    .skipIf(process.platform !== "linux")
    .each([
      train("--epochs 1").map((word) => (word === "new.safetensors" ? "/sys/m.safetensors" : word)),
      train("--epochs 1 --log /sys/log.jsonl"),
      words("prune m.safetensors --strategy head --sparsity 0.1 --out /sys/p.safetensors"),
      prune("--strategy head --sparsity 0.1 --recipe-out /sys/p.yaml"),
      words("export m.safetensors --to onnx --out /sys/m.onnx"),
      words("export m.safetensors --to tfjs --out /sys/web"),
      words("predict m.safetensors --input short.csv --out /sys/f.csv"),
      words("inspect m.safetensors --out /sys/page"),
      words("sweep --out /sys/sweep"),
    ])("a place where nobody can write is named at once: %s %s %s", async (...args) => {
    const before = await readdir(cwd);
    const { code, stdout, stderr } = await espalier(args, { cwd });
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^espalier: cannot write \/sys\/[\w.]+: (no permission|the folder)[^\n]+\n$/);
    expect(await readdir(cwd)).toEqual(before);
  });

  it("a stack is shown on request", async () => {
    const { stderr } = await espalier(words("inspect no.safetensors --debug"), { cwd });
    expect(stderr).toMatch(/^espalier: .*\nEspalierError: .*\n {4}at /);
    expect(
      (await espalier(words("inspect no.safetensors"), { cwd, env: { ESPALIER_DEBUG: "1" } })).stderr,
    ).toContain("\n    at ");
  });
});
