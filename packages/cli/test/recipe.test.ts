import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { formatCsv, synthetic } from "@espalier/datasets";
import { loadModel } from "@espalier/formats/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { espalier, type RanIn, temporaryFolder, tinyTrain, words } from "./espalier.ts";

let cwd: string;
const run = (line: string, options: RanIn = {}) => espalier(words(line), { cwd, ...options });
const json = async (line: string) => {
  const { code, stdout, stderr } = await run(`${line} --json`);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout);
};
const history = async (file: string) => (await loadModel(join(cwd, file))).history as { did: string }[];

const recipes: Record<string, string> = {
  "drawn.yaml": `
model: { use: iTransformer, inputLength: 24, horizon: 6, width: 16, feedForward: 32, heads: 2, layers: 1 }
data: { dataset: data.csv }
training: { epochs: 2, learningRate: 0.005, batchesPerEpoch: 4 }
strategies:
  - use: channel
    criterion: taylor
  - use: unstructured
combined: { weights: [1, 2] }
target: { flops: 0.5, bytes: 0.7 }
fineTuning: { epochs: 1, learningRate: 0.005, batchesPerEpoch: 4, distill: 0.5 }
seed: 3
`,
  "plain.yaml": `
model: m.safetensors
strategies: [{ use: unstructured, scope: local }]
target: { sparsity: 0.5 }
`,
  "stepped.yaml": `
strategies: [{ use: unstructured }]
target: { sparsity: 0.6 }
schedule: { steps: 2, curve: linear }
fineTuning: { epochs: 1, batchesPerEpoch: 3, weightDecay: 0.01 }
`,
  "series.yaml": `
data: { dataset: data.csv, series: [s1, s2], splits: { rows: [200, 100, 100] } }
strategies: [{ use: channel, criterion: taylor }]
target: { flops: 0.7 }
`,
  "escapes.yaml": "model: ../m.safetensors\nstrategies: [{ use: head }]\ntarget: { flops: 0.5 }\n",
};

const steps = `
target: { bytes: 0.3 }
steps:
  - do: prune
    strategy: { use: channel }
    target: { flops: 0.7 }
    reconstruct: { batches: 2 }
  - { do: tune, fit: { epochs: 1, batchesPerEpoch: 3 } }
  - do: tune
    fit: { epochs: 2, batchesPerEpoch: 3 }
    distill: 0.5
    masks: { strategy: { use: unstructured }, every: 1 }
`;

beforeAll(async () => {
  cwd = await temporaryFolder(afterAll);
  for (const [name, text] of Object.entries(recipes)) await writeFile(join(cwd, name), text);
  await writeFile(join(cwd, "data.csv"), formatCsv(synthetic({ rows: 400, series: 3 })));
  expect(await espalier(tinyTrain("m.safetensors", "--epochs 1"), { cwd })).toMatchObject({ code: 0 });
});

describe("espalier prune --recipe", () => {
  it("draws, trains, prunes and tunes as the file says; the same bytes each time", async () => {
    const first = await json("prune --recipe drawn.yaml --out a.safetensors");
    expect(first).toMatchObject({
      strategy: "combined(channel, unstructured)",
      target: { met: true, others: [{ met: true }] },
      tuningEpochs: 1,
    });
    expect(await history("a.safetensors")).toMatchObject([
      { did: "fit", settings: { epochs: 2, seed: 3 }, backend: "wasm", data: { name: "data.csv" } },
      { did: "prune" },
      { did: "fit", settings: { learningRate: 0.005, seed: 3 }, teacher: { weight: 0.5 } },
    ]);
    await json("prune --recipe drawn.yaml --out b.safetensors");
    const [a, b] = await Promise.all(["a", "b"].map((name) => readFile(join(cwd, `${name}.safetensors`))));
    expect(b!.equals(a!)).toBe(true);
    await json("prune --recipe drawn.yaml --seed 4 --out c.safetensors");
    expect((await readFile(join(cwd, "c.safetensors"))).equals(a!)).toBe(false);
  });

  it("finds its files beside it, wherever it is run, and does what the options say", async () => {
    const elsewhere = await temporaryFolder();
    const { code, stderr } = await run(
      `prune --recipe ${join(cwd, "plain.yaml")} --out ${join(elsewhere, "p.safetensors")}`,
      { cwd: elsewhere },
    );
    expect([code, stderr]).toEqual([0, ""]);
    await json(
      "prune m.safetensors --strategy unstructured --scope local --sparsity 0.5 --out q.safetensors",
    );
    expect(await readFile(join(elsewhere, "p.safetensors"))).toEqual(
      await readFile(join(cwd, "q.safetensors")),
    );
  });

  it("lets options of the command line go before its own", async () => {
    const dry = (line: string) =>
      json(`prune m.safetensors --recipe drawn.yaml --dry-run --dataset synthetic --fine-tune 1 ${line}`);
    const retargeted = await dry("--sparsity 0.4");
    expect(retargeted.target).toMatchObject({ metric: "sparsity", asked: 0.4 });
    expect(retargeted.target.others).toBeUndefined();
    const other = await dry("--strategy head --accept-nearest");
    expect(other).toMatchObject({ strategy: "head", target: { others: [{}] } });
    // Of the recipe's data nothing is left: its series would not be the model's.
    await json("prune m.safetensors --recipe series.yaml --dataset synthetic --accept-nearest --dry-run");
    await json(
      "prune m.safetensors --recipe stepped.yaml --learning-rate 0.002 --curve cubic --out s.safetensors",
    );
    expect(await history("s.safetensors")).toMatchObject([
      { did: "fit" },
      { did: "prune", target: { asked: 0.525 } },
      { did: "fit", settings: { learningRate: 0.002, weightDecay: 0.01, batchesPerEpoch: 3 } },
      { did: "prune", target: { asked: 0.6 } },
      { did: "fit" },
    ]);
  });

  it("refits layers, moves masks and tightens them, as the command's flags do", async () => {
    const fit = "fineTuning: { epochs: 1, batchesPerEpoch: 4, batchSize: 8, learningRate: 0.002 }";
    const strategies = "strategies: [{ use: unstructured }]\ntarget: { sparsity: 0.7 }";
    await writeFile(join(cwd, "refit.yaml"), `${strategies}\nreconstruction: {}\n${fit}\nseed: 2\n`);
    await writeFile(
      join(cwd, "grad.yaml"),
      `${strategies}\nschedule: { curve: linear, gradual: {} }\n${fit}\n`,
    );
    const settings = "--fine-tune 1 --batches-per-epoch 4 --batch-size 8 --learning-rate 0.002";
    const lines = [
      ["refit", `--strategy unstructured --sparsity 0.7 --reconstruct ${settings} --seed 2`],
      ["grad", `--strategy unstructured --sparsity 0.7 --gradual --curve linear ${settings}`],
    ];
    for (const [name, line] of lines) {
      const done = await json(`prune m.safetensors --recipe ${name}.yaml --out ${name}-a.safetensors`);
      expect(done).toMatchObject({ target: { metric: "sparsity", met: true }, tuningEpochs: 1 });
      expect(done.after.sparsity).toBeCloseTo(0.7, 2);
      await json(`prune m.safetensors ${line} --out ${name}-b.safetensors --recipe-out ${name}-out.yaml`);
      await json(`prune --recipe ${name}-out.yaml --out ${name}-c.safetensors`);
      const [a, b, c] = await Promise.all(
        ["a", "b", "c"].map((end) => readFile(join(cwd, `${name}-${end}.safetensors`))),
      );
      expect([b!.equals(a!), c!.equals(a!)]).toEqual([true, true]);
    }
    expect((await history("refit-a.safetensors")).map(({ did }) => did)).toEqual([
      "fit",
      "prune",
      "reconstruct",
      "fit",
    ]);
    expect((await run("inspect refit-a.safetensors")).stdout).toMatch(
      /2 {2}pruned by unstructured to sparsity 70\.\d %\n3 {2}refitted to the unpruned outputs: \d+ layers, errors \d+\.\d % → \d+\.\d %\n/,
    );
    expect((await run("inspect grad-a.safetensors")).stdout).toMatch(
      /2 {2}trained on synthetic, pruned by unstructured to sparsity 70\.\d %: 1 epoch,\s/,
    );
    expect(await history("grad-a.safetensors")).toMatchObject([
      { did: "fit" },
      { did: "fit", gradual: { curve: "linear", target: { met: true } } },
    ]);
  });

  it("is resumed after a stop in any step, and ends with the same bytes", async () => {
    const stopped = (when: RegExp, line: string) => {
      const controller = new AbortController();
      const onNote = (text: string) => void (when.test(text) && controller.abort());
      return run(line, { signal: controller.signal, onNote });
    };
    const line = (out: string) =>
      `prune --recipe drawn.yaml --strategy channel --strategy unstructured --gradual --reconstruct --fine-tune 4 --out ${out}.safetensors`;
    await json(line("whole"));
    const training = await stopped(/train 1 /, line("stop"));
    expect([training.code, training.stdout]).toEqual([130, ""]);
    expect(training.stderr).toContain(
      `espalier: stopped in step 1 of 3 (train) after 1 epoch. To resume: espalier ${line("stop")} --resume\n`,
    );
    expect(await readdir(cwd)).not.toContain("stop.safetensors");
    expect((await run(line("stop"))).stderr).toMatch(
      /stop.safetensors.checkpoint exists: an earlier run was stopped\. Give --resume to continue it, or --force to start again\.\n$/,
    );
    const other = await run(`${line("stop")} --learning-rate 0.1 --resume`);
    expect(other.stderr).toContain("the unfinished run used another recipe, or started from another model.");
    const planning = await stopped(/step 2 of 3/, `${line("stop")} --resume`);
    expect(planning.stderr).toMatch(/^step 1 of 3: train .*, from epoch 2 on\ntrain 2 /);
    expect(planning.stderr).toContain("stopped in step 2 of 3 (prune). To resume:");
    const tuning = await stopped(/prune and tune 2 /, `${line("stop")} --resume`);
    expect(tuning.stderr).toMatch(
      /stopped in step 3 of 3 \(tune\) after 2 epochs; stop.safetensors holds the model so far\. To resume: .* --resume\n$/,
    );
    expect((await history("stop.safetensors")).map(({ did }) => did).slice(0, 3)).toEqual([
      "fit",
      "prune",
      "reconstruct",
    ]);
    await json(`${line("stop")} --resume`);
    expect(await readFile(join(cwd, "stop.safetensors"))).toEqual(
      await readFile(join(cwd, "whole.safetensors")),
    );
    expect(await readdir(cwd)).not.toContain("stop.safetensors.checkpoint");
  });

  it("of steps is run as it says, with several targets", async () => {
    await writeFile(join(cwd, "steps.yaml"), steps);
    const { code, stderr } = await run("prune m.safetensors --recipe steps.yaml --out steps.safetensors");
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(
      /^step 1 of 3: prune by channel to flops ≤ 70 %, refit the remaining weights to the unpruned outputs \(batches 2\)\nstep 2 of 3: /,
    );
    expect((await history("steps.safetensors")).map(({ did }) => did)).toEqual([
      "fit",
      "prune",
      "reconstruct",
      "fit",
      "fit",
    ]);
    const dry = async (line: string) =>
      (await json(`prune m.safetensors --recipe steps.yaml --dry-run ${line}`)).did;
    const [first, second, third] = await dry(
      "--bytes 0.5 --fine-tune 1 --learning-rate 0.01 --rate-schedule constant",
    );
    expect(first.plan.target).toMatchObject({ metric: "flops", asked: 0.7 });
    for (const { fit } of [second, third]) expect(fit.epochs).toMatchObject([{ learningRate: 0.01 }]);
    expect(third.plan.target).toMatchObject({ metric: "bytes", asked: 0.5 });
  });

  it.each([
    ["--strategy head", "--strategy: steps.yaml lists the steps to run. Edit the file, or drop the option."],
    ["--steps 3", "--steps: steps.yaml lists the steps"],
    ["--reconstruct", "--reconstruct: steps.yaml lists the steps"],
    ["--latency 0.3", "steps.2.masks.target: latency cannot be measured while the model is trained."],
  ])("of steps refuses %s in one line", async (option, message) => {
    await writeFile(join(cwd, "steps.yaml"), steps);
    const { code, stdout, stderr } = await run(`prune m.safetensors --recipe steps.yaml ${option} --dry-run`);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^espalier: [^\n]+\n$/);
    expect(stderr).toContain(message);
  });

  it.each([
    [
      "files out of its folder",
      "prune --recipe escapes.yaml --dry-run",
      `recipe escapes.yaml, line 1, model: "../m.safetensors" is outside the recipe's folder. Move it there, or name it on the command line.`,
    ],
    [
      "a plan beside it",
      "prune --recipe plain.yaml --plan p.json --dry-run",
      "--recipe cannot be combined with --plan, which already says what to prune.",
    ],
    [
      "masks that tighten in steps",
      "prune m.safetensors --recipe stepped.yaml --gradual --dry-run",
      "--gradual cannot be combined with the recipe's schedule.steps.",
    ],
    [
      "no model",
      "prune --recipe stepped.yaml --dry-run",
      "give a model file, or --recipe FILE that names one.",
    ],
    ["a file that is not there", "prune --recipe no.yaml --dry-run", "no.yaml: no such file."],
    [
      "a strategy nobody knows, which it cannot load by itself",
      "prune --recipe slimming.yaml --dry-run",
      'recipe slimming.yaml, line 1, strategies.0: strategy "slimming" is not known.',
    ],
  ])("refuses %s in one line", async (_, line, message) => {
    await writeFile(
      join(cwd, "slimming.yaml"),
      "strategies: [{ use: slimming }]\ntarget: { parameters: 0.7 }\n",
    );
    const { code, stdout, stderr } = await run(line);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^espalier: [^\n]+\n$/);
    expect(stderr).toContain(message);
  });

  it("uses strategies of plug-ins that the command line names", async () => {
    await writeFile(
      join(cwd, "slimming.yaml"),
      "strategies: [{ use: slimming }]\ntarget: { parameters: 0.7 }\n",
    );
    const plugin = fileURLToPath(new URL("../../../examples/custom-strategy", import.meta.url));
    const { code, stderr } = await espalier(
      [...words("prune m.safetensors --recipe slimming.yaml --dry-run --plugin"), plugin],
      { cwd },
    );
    expect([code, stderr]).toEqual([0, ""]);
  });
});

describe("espalier prune --recipe-out", () => {
  it("writes what was done, to be done again with the same bytes", async () => {
    const line =
      "--strategy head --strategy unstructured --set combined.weights=[1,3] --criterion l2 --flops 0.6 --bytes 0.8 --accept-nearest --fine-tune 1 --batches-per-epoch 3 --distill 0.3 --seed 2 --dataset synthetic --splits 0.6,0.2,0.2";
    const done = await json(`prune m.safetensors ${line} --out d.safetensors --recipe-out d.yaml`);
    expect(done.written).toEqual(["d.safetensors", "d.yaml"]);
    await json("prune --recipe d.yaml --out e.safetensors");
    expect(await readFile(join(cwd, "e.safetensors"))).toEqual(await readFile(join(cwd, "d.safetensors")));
    const again = await run("prune --recipe d.yaml --out f.safetensors --recipe-out d.yaml");
    expect(again.stderr).toContain("--recipe-out is d.yaml, which is read as --recipe. Give another name.");
    expect(await readdir(cwd)).not.toContain("f.safetensors");
  });

  it("leaves out files that are not beside it", async () => {
    const folder = await temporaryFolder();
    const line = `prune m.safetensors --strategy head --dataset data.csv --flops 0.9 --accept-nearest --dry-run`;
    await mkdir(join(folder, "r"));
    const plan = `${join(folder, "p.json")}`;
    const { code } = await run(
      `${line.replace(" --dry-run", "")} --plan-out ${plan} --recipe-out ${join(folder, "r", "x.yaml")}`,
    );
    expect(code).toBe(0);
    const text = await readFile(join(folder, "r", "x.yaml"), "utf8");
    expect(text).not.toContain("model:");
    expect(text).not.toContain("csv");
  });
});

describe("espalier recipe", () => {
  it("checks a recipe, and says what it is about", async () => {
    const { code, stdout } = await run("recipe drawn.yaml");
    expect(code).toBe(0);
    expect(stdout).toBe(
      [
        "drawn.yaml is valid",
        "  model: a new iTransformer",
        "  data: data.csv",
        "  1  train for 2 epochs (learningRate 0.005, batchesPerEpoch 4)",
        "  2  prune by channel (criterion taylor), then unstructured (weights [1,2]) to flops ≤ 50 % and bytes ≤ 70 %",
        "  3  tune for 1 epoch (learningRate 0.005, batchesPerEpoch 4), the unpruned model teaches (0.5)",
        "",
      ].join("\n"),
    );
    expect((await json("recipe stepped.yaml")).steps.map((step: { do: string }) => step.do)).toEqual([
      "prune",
      "tune",
      "prune",
      "tune",
    ]);
    const refused = async (name: string, content: string) => {
      await writeFile(join(cwd, name), content);
      return (await run(`recipe ${name}`)).stderr;
    };
    const pruned = "strategies: [{ use: unstructured, keep: [projecton.*] }]\ntarget: { sparsity: 0.5 }\n";
    expect(
      await refused("typo.yaml", `model: { use: DLinear }\ntraining: { epochs: 1 }\n${pruned}`),
    ).toContain('recipe typo.yaml, line 3, strategies: keep "projecton.*" matches no tensor');
    expect(await refused("unseen.yaml", `data: { dataset: no.csv }\n${pruned}`)).toContain(
      "recipe unseen.yaml, line 1, data.dataset: data no.csv: there is no file",
    );
    expect(await refused("unnamed.yaml", `data: { dataset: ETTh3 }\n${pruned}`)).toContain(
      'recipe unnamed.yaml, line 1, data.dataset: data set "ETTh3" is not known. Did you mean "ETTh1"?',
    );
    expect((await run("recipe escapes.yaml")).stderr).toContain("is outside the recipe's folder");
    expect((await run("recipe")).stderr).toBe("espalier: give a recipe file, or --schema.\n");
    expect((await run("recipe plain.yaml --schema")).code).toBe(1);
  });
});

const gallery = fileURLToPath(new URL("../../../recipes", import.meta.url));
const files = (await readdir(gallery)).filter((name) => name.endsWith(".yaml")).sort();

describe("the gallery", () => {
  it("has a line in its README for every recipe, and no more", async () => {
    const readme = await readFile(join(gallery, "README.md"), "utf8");
    const listed = [...readme.matchAll(/^\| \[`([^`]+)`\]\(([^)]+)\)/gm)].map(([, text, link]) => [
      text,
      link,
    ]);
    expect(listed.map(([, link]) => link).sort()).toEqual(files);
    for (const [text, link] of listed) expect(`${text}.yaml`).toBe(link);
  });

  it.each(files)("%s runs on a tiny model, says what it is for, and knows its schema", async (name) => {
    const text = await readFile(join(gallery, name), "utf8");
    expect(text).toMatch(/^# yaml-language-server: \$schema=recipe.schema.json\n# [A-Z].*\n/);
    expect((await espalier(["recipe", join(gallery, name)], { cwd })).code).toBe(0);
    const whole = text.includes("\nmodel:");
    const short = text.includes("\nfineTuning:");
    const tuned = short || text.includes("do: tune");
    const line = [
      "prune",
      ...(whole ? [] : ["m.safetensors"]),
      ...["--recipe", join(gallery, name), "--out", `${name}.safetensors`],
      ...words(short && !whole ? "--fine-tune 1 --batches-per-epoch 2 --batch-size 8" : ""),
      // How long a call takes here, on a busy machine, is no matter of the recipe.
      ...(text.includes("latency:") ? words("--accept-nearest --latency-time 20") : []),
    ];
    const { code, stderr } = await espalier(line, { cwd });
    expect(stderr).not.toContain("espalier:");
    expect(code).toBe(0);
    const did = (await history(`${name}.safetensors`)).map((entry) => entry.did);
    expect(did.slice(0, 2)).toEqual(["fit", text.includes("gradual:") ? "fit" : "prune"]);
    expect(did.at(-1)).toBe(tuned ? "fit" : text.includes("reconstruction:") ? "reconstruct" : "prune");
  });
});

it.skipIf(process.platform === "win32")("a recipe cannot reach out by a link", async () => {
  const [inside, outside] = [await temporaryFolder(), await temporaryFolder()];
  await writeFile(join(outside, "secret.csv"), "a,b\n1,2\n");
  await symlink(join(outside, "secret.csv"), join(inside, "data.csv"));
  await writeFile(
    join(inside, "r.yaml"),
    "data: { dataset: data.csv }\nstrategies: [{ use: head }]\ntarget: { flops: 0.5 }\n",
  );
  const { stderr } = await espalier(words("recipe r.yaml"), { cwd: inside });
  expect(stderr).toContain(
    'recipe r.yaml, line 1, data.dataset: "data.csv" is outside the recipe\'s folder.',
  );
});
