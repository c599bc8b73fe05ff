import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { formatCsv, synthetic } from "@espalier/datasets";
import { parseCsv } from "@espalier/datasets/node";
import { loadModel } from "@espalier/formats/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { espalier, temporaryFolder, tinyTrain, words } from "./espalier.ts";

let cwd: string;
const json = async (line: string) => {
  const { code, stdout, stderr } = await espalier(words(`${line} --json`), { cwd });
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout);
};

beforeAll(async () => {
  cwd = await temporaryFolder(afterAll);
});

describe("train, prune, inspect, evaluate, predict", () => {
  it("trains, with a line for every epoch and the errors at the end", async () => {
    const { code, stdout, stderr } = await espalier(
      tinyTrain("m.safetensors", "--log epochs.jsonl --detail"),
      { cwd },
    );
    expect(code).toBe(0);
    expect(stderr).toMatch(/epoch 1 {2}train \d.*validation MSE \d.*best\nepoch 2 {2}train/);
    expect(stdout).toMatch(/^iTransformer on synthetic, 24 → 6, 2 epochs, best 2\n/);
    expect(stdout).toMatch(/test error +MSE +MAE +RMSE +MASE\nscaled \(standard\) +\d/);
    for (const part of ["original units", "by series", "s7  ", "by step ahead", "m.safetensors  "])
      expect(stdout).toContain(part);
    const log = (await readFile(join(cwd, "epochs.jsonl"), "utf8"))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(log).toMatchObject([{ epoch: 1, best: true }, { epoch: 2 }]);
  });

  it("prunes to a target, and says what that costs", async () => {
    const { code, stdout } = await espalier(
      words("prune m.safetensors --strategy unstructured --sparsity 0.6 --evaluate --out small.safetensors"),
      { cwd },
    );
    expect(code).toBe(0);
    expect(stdout).toContain("sparsity 0.0 % → 60.");
    for (const row of [
      "parameters",
      "not zero",
      "FLOPs, zeros skipped",
      "bytes on disk",
      "test MSE",
      "test MAE",
    ]) {
      expect(stdout).toMatch(new RegExp(`^${row} +[\\d.,]+`, "m"));
    }
  });

  it("inspects: counts, layers, dimensions with their reasons, history", async () => {
    const { stdout } = await espalier(words("inspect small.safetensors"), { cwd });
    expect(stdout).toMatch(/^iTransformer, trained on synthetic\n/);
    expect(stdout).toMatch(/sparsity +60\.\d %/);
    expect(stdout).toMatch(/^encoder.attn_layers.0.conv1 +[\d,]+ +\d+ % {2}━+─+$/m);
    expect(stdout).toMatch(/conv1.weight\[0\] +channel +64/);
    expect(stdout).toMatch(/reaches the input x_enc:\n {2}enc_embedding.value_embedding.weight\[1\]/);
    expect(stdout).toMatch(
      /1 {2}trained on synthetic: 2 epochs.*\n2 {2}pruned by unstructured to sparsity 60\.\d %/,
    );
    const data = await json("inspect small.safetensors");
    expect(data).toMatchObject({
      name: "iTransformer",
      layers: expect.any(Array),
      history: [{ did: "fit" }, { did: "prune" }],
    });
    expect(data.parameters.nonzero / data.unpruned.parameters.total).toBeCloseTo(1 - data.sparsity, 10);
  });

  it("shows heads, masks, importance, sensitivity and a comparison on request, and draws them", async () => {
    const line =
      "inspect small.safetensors --masks *conv1* --importance --sensitivity 0.9 --windows 8 --against m.safetensors --evaluate";
    const { stdout, code } = await espalier([...words(line), "--out", "page"], { cwd });
    expect(code).toBe(0);
    expect(stdout).toMatch(/density by head, %\n +0 +1 +2 +3\nencoder.attn_layers.0.attention +[░▒▓█]/);
    expect(stdout).toMatch(/importance by l1\n.*median\n.*[▁▂▃▄▅▆▇█]{3}/);
    expect(stdout).toMatch(/encoder.attn_layers.0.conv1 +2,048 +\d\.\d\d ×/);
    expect(stdout).toMatch(/conv1.weight\n64 × 32 × 1, \d+\.\d % kept\n[ ░▒▓█]+\n/);
    expect(stdout).toMatch(/test MSE +\d.*\n.*test MAE/);
    expect(stdout).toMatch(/time per run +[\d.]+ [µm]?s +[\d.]+ [µm]?s +[\d.]+ ± [\d.]+× as fast/);
    for (const text of stdout.split("\n").slice(stdout.split("\n").indexOf("density by head, %") + 1))
      if (!text.includes("weight[")) expect(text.length).toBeLessThanOrEqual(80);
    const files = await readdir(join(cwd, "page", "charts"));
    expect(files.filter((file) => file.endsWith(".png")).sort()).toEqual([
      "density-heads.png",
      "density-layers.png",
      "importance.png",
      "masks.png",
      "sensitivity.png",
    ]);
    const again = await espalier(words("inspect small.safetensors --out page"), { cwd });
    expect(again).toMatchObject({ code: 1, stdout: "" });
    expect(again.stderr).toMatch(/page holds a model's page. Give --force/);
  });

  it("gives the same as data", async () => {
    const data = await json("inspect small.safetensors --masks *conv1* --sensitivity --windows 4");
    expect(data.heads).toMatchObject([{ name: "encoder.attn_layers.0.attention" }]);
    const [{ kept, masked, removed, rows, columns, density }] = data.masks;
    expect([kept.length, masked.length, removed.length]).toEqual(Array(3).fill(rows * columns));
    const mean = kept.reduce((sum: number, share: number) => sum + share, 0) / kept.length;
    expect(mean).toBeCloseTo(density, 2);
    expect(data.sensitivity.amounts).toEqual([0.5, 0.9]);
  });

  it.each([
    ["inspect small.safetensors --masks nothing*", "--masks nothing*: matches no pruned tensor"],
    ["inspect small.safetensors --evaluate", "--evaluate only applies with --against FILE"],
    ["inspect small.safetensors --sensitivity 1.5", "Expected shares between 0 and 1"],
    ["inspect small.safetensors --importance l3", 'criterion "l3" is not known'],
  ])("%s is refused", async (line, message) => {
    const { code, stdout, stderr } = await espalier(words(line), { cwd });
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain(message);
  });

  it("evaluates what training measured, and a pruned model like any other", async () => {
    const trained = await json("evaluate m.safetensors");
    const again = await json(`train --from m.safetensors --epochs 0 --out same.safetensors`);
    expect(trained).toMatchObject({ split: "test", windows: again.test.windows, mse: again.test.mse });
    const pruned = await json("evaluate small.safetensors --split validation");
    expect(pruned.series).toHaveLength(7);
    expect(pruned.steps).toHaveLength(6);
    expect(pruned.original.mse).toBeGreaterThan(0);
  });

  it("forecasts the rows after a CSV, its columns in any order, and keeps a file that exists", async () => {
    const table = synthetic({ rows: 60 });
    const lines = formatCsv(table).trim().split("\n");
    // The series in another order, beside a column that the model does not know.
    const shuffled = lines.map((line, i) => {
      const [date, ...cells] = line.split(",");
      return [...cells.toReversed(), i === 0 ? "note" : "7", date].join(",");
    });
    await writeFile(join(cwd, "now.csv"), shuffled.join("\n"));
    const { code, stdout } = await espalier(words("predict small.safetensors --input now.csv"), { cwd });
    expect(code).toBe(0);
    const forecast = parseCsv("forecast", stdout).table;
    expect(forecast).toMatchObject({ rows: 6, columns: ["s1", "s2", "s3", "s4", "s5", "s6", "s7"] });
    expect(forecast.timestamps![0]! - table.timestamps!.at(-1)!).toBe(3_600_000);
    expect(
      (await espalier(words("predict small.safetensors --input now.csv --out f.csv"), { cwd })).code,
    ).toBe(0);
    expect(await readFile(join(cwd, "f.csv"), "utf8")).toBe(stdout);
    const again = await espalier(words("predict small.safetensors --input now.csv --out f.csv"), { cwd });
    expect(again.stderr).toMatch(/^espalier: .*f.csv exists. Give --force to replace it/);
    const data = await json("predict small.safetensors --input now.csv --out f.csv --force");
    expect(data).toMatchObject({ after: 60, written: "f.csv", series: forecast.columns });
    expect(data.dates[0]).toBe("2024-01-03 12:00:00");
    expect(data.forecast[0][0]).toBe(forecast.values[0]!);
  });

  it("goes on training a pruned model: what is gone stays gone", async () => {
    await json(
      "train --from small.safetensors --epochs 1 --batches-per-epoch 4 --learning-rate 0.001 --out tuned.safetensors",
    );
    const [small, tuned] = await Promise.all(
      ["small", "tuned"].map((name) => loadModel(join(cwd, `${name}.safetensors`))),
    );
    expect([...tuned!.masks]).toEqual([...small!.masks]);
    expect(tuned!.history.map((entry) => (entry as { did: string }).did)).toEqual(["fit", "prune", "fit"]);
  });

  it("trains on with a cosine rate, a group penalty and masks that move, if asked", async () => {
    await json(
      "train --from small.safetensors --epochs 1 --batches-per-epoch 4 --rate-schedule cosine --warmup 0.25 --group-penalty 0.001 --regrow 0.3 --out moved.safetensors",
    );
    const { history } = await loadModel(join(cwd, "moved.safetensors"));
    expect(history.at(-1)).toMatchObject({
      did: "fit",
      settings: { rateSchedule: "cosine", warmup: 0.25, groupPenalty: 0.001, regrow: { share: 0.3 } },
    });
    const dense = await espalier(words("train --from m.safetensors --regrow 0.3 --out x.safetensors"), {
      cwd,
    });
    expect(dense.code).toBe(1);
    expect(dense.stderr).toContain("no weight of the model is masked");
  });

  it("prunes in stages with fine-tuning after each", async () => {
    const line =
      "prune m.safetensors --strategy unstructured --sparsity 0.75 --steps 2 --curve linear --distill 0.5 --fine-tune 1 --batches-per-epoch 3 --out steps.safetensors";
    const result = await json(line);
    expect(result.after.sparsity).toBeCloseTo(0.75, 2);
    expect(result).toMatchObject({ tuningEpochs: 2, written: ["steps.safetensors"] });
    const { history } = await loadModel(join(cwd, "steps.safetensors"));
    const pruned = history.filter((entry) => (entry as { did: string }).did === "prune");
    expect(pruned).toMatchObject([{ target: { asked: 0.375 } }, { target: { asked: 0.75 } }]);
  });

  it("prunes to several targets at once, and says which decided", async () => {
    const line = "prune m.safetensors --strategy unstructured --flops 0.6 --bytes 0.4 --out both.safetensors";
    const { code, stdout } = await espalier(words(line), { cwd });
    expect(code).toBe(0);
    expect(stdout).toMatch(/asked for bytes 0\.4 and flops\s+0\.6\n/);
    const { history } = await loadModel(join(cwd, "both.safetensors"));
    expect(history.at(-1)).toMatchObject({
      target: { metric: "bytes", met: true, others: [{ metric: "flops", met: true }] },
    });
    expect((await espalier(words("inspect both.safetensors"), { cwd })).stdout).toMatch(
      /2 {2}pruned by unstructured to bytes 40\.\d % and flops \d+\.\d %/,
    );
  });

  it("prunes to a time that is measured, shows each try, and keeps it", async () => {
    const line =
      "prune m.safetensors --strategy channel --latency 0.7 --batch 2 --latency-time 20 --accept-nearest --plan-out time.json --out time.safetensors";
    const { code, stdout, stderr } = await espalier(words(line), { cwd });
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /^(Other programs had the processor for .+\n)?try {2}1 {2}amount 0\.0000 {2}\d+\.\d % of the time, ± \d+\.\d %\n/,
    );
    expect(stdout).toMatch(
      /\n\d+\.\d % of the unpruned time on wasm, batch 2, ± \d+\.\d %, found in \d+ measurements?\n/,
    );
    const { target } = JSON.parse(await readFile(join(cwd, "time.json"), "utf8"));
    expect(target).toMatchObject({ metric: "latency", asked: 0.7, measured: { on: "wasm, batch 2" } });
    expect(stderr.match(/^try /gm)).toHaveLength(target.measured.tries.length);
    // The search is the plan's; the model remembers what came of it.
    const { history } = await loadModel(join(cwd, "time.safetensors"));
    expect(Object.keys((history.at(-1) as { target: object }).target)).not.toContain("measured");
    expect((await espalier(words("inspect time.safetensors"), { cwd })).stdout).toMatch(
      /pruned by channel to latency \d+\.\d % \(wasm, batch 2\)/,
    );
  });

  it("prunes by several strategies, each with its own options", async () => {
    const line =
      "--strategy head --strategy channel --strategy unstructured --round-to 4 --set channel.scope=local --set unstructured.scope=local --set combined.weights=[1,1,4]";
    const result = await json(`prune m.safetensors ${line} --sparsity 0.7 --out several.safetensors`);
    expect(result.strategy).toBe("combined(head, channel, unstructured)");
    expect(result.after.sparsity).toBeCloseTo(0.7, 1);
    const { prunable } = await json("inspect several.safetensors");
    for (const { kind, size } of prunable)
      if (kind === "channel" || kind === "embedding") expect(size % 4).toBe(0);
  });

  it("calibrates on the model's data where a criterion looks at data", async () => {
    const result = await json(
      "prune m.safetensors --strategy channel --criterion taylor --parameters 0.7 --dry-run",
    );
    expect(result).toMatchObject({ target: { metric: "parameters", met: true }, written: [] });
  });

  it("draws the models that --set, --options and --from describe", async () => {
    await writeFile(join(cwd, "options.yaml"), "width: 16\nheads: 4\nlayers: 1\n");
    const drawn = await json(
      "inspect --model itransformer --options options.yaml --set heads=2 --series 3 --horizon 12",
    );
    expect(drawn.options).toMatchObject({
      width: 16,
      heads: 2,
      layers: 1,
      series: 3,
      horizon: 12,
      inputLength: 96,
    });
  });
});

describe("a CSV with dates, gaps and several parts", () => {
  it("is trained on with a rule for what is missing, which evaluation and forecasts keep", async () => {
    const lines = formatCsv(synthetic({ rows: 300, series: 2 })).split("\n");
    lines[40] = lines[40]!.replace(/,[^,]*$/, ",");
    await writeFile(join(cwd, "gaps.csv"), lines.join("\n"));
    const trained = await espalier(
      tinyTrain(
        "gaps.safetensors",
        "--dataset gaps.csv --missing interpolate --scale min-max --splits 0.6,0.2,0.2",
      ),
      { cwd },
    );
    expect(trained).toMatchObject({ code: 0 });
    expect(trained.stderr).toContain("gaps.csv: 1 value (0.2 %) was missing in 1 series: interpolate.");
    expect(trained.stdout).toContain("scaled (min-max)");
    const evaluated = await json("evaluate gaps.safetensors --dataset gaps.csv");
    expect(evaluated.windows).toBe(60 - 6 + 1);
    const without = await espalier(words("evaluate gaps.safetensors"), { cwd });
    expect(without.stderr).toBe(
      "espalier: the model was trained on gaps.csv. Give --dataset with the path to it.\n",
    );
  });
});
