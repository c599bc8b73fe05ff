import { access, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { loadModel } from "@espalier/formats/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { espalier, temporaryFolder, tinyTrain, words } from "./espalier.ts";

let cwd: string;
beforeAll(async () => {
  cwd = await temporaryFolder(afterAll);
  expect(await espalier(tinyTrain("m.safetensors"), { cwd })).toMatchObject({ code: 0 });
});

const short = "--epochs 2 --reduction 2 --batches-per-epoch 3 --proposals 1 --no-compare";

describe("espalier search", () => {
  it("that is stopped goes on where it was, and ends with model, recipe and page", async () => {
    const line = words(`search m.safetensors --error +100% --evaluations 5 ${short} --out found`);
    const controller = new AbortController();
    const stopped = await espalier(line, {
      cwd,
      signal: controller.signal,
      onNote: (text) => text.startsWith("candidate 1, 1 epoch") && controller.abort(),
    });
    expect(stopped.code).toBe(130);
    expect(stopped.stderr).toMatch(
      /\nespalier: stopped after \d candidates\. Repeat the command to continue\.\n$/,
    );
    const { code, stdout, stderr } = await espalier([...line, "--resume"], { cwd });
    expect(code, stderr + stdout).toBe(0);
    expect(stderr).not.toContain("candidate 0 (");
    expect(stdout.replace(/\s+/g, " ")).toContain(
      "iTransformer on synthetic: the smallest model with error ≤ +100% of the model as given",
    );
    expect(stdout).toMatch(/\ndense, as given +[\d.]+ +[\d.]+ .* 100 %/);
    expect(stdout).toMatch(/\nchosen +[\d.]+ +[\d.]+ ± [\d.]+ /);
    expect(stdout.trimEnd().endsWith(join("found", "report", "report.html"))).toBe(true);
    await access(join(cwd, "found", "report", "report.html"));
  });

  it("writes a recipe that makes the same bytes", async () => {
    const replay = "prune m.safetensors --recipe found/chosen.yaml --out again.safetensors --json";
    const { code, stderr } = await espalier(words(replay), { cwd });
    expect(code, stderr).toBe(0);
    const [found, again] = await Promise.all(
      ["found/chosen.safetensors", "again.safetensors"].map((file) => readFile(join(cwd, file))),
    );
    expect(again!.equals(found!)).toBe(true);
    expect((await loadModel(join(cwd, "again.safetensors"))).history.length).toBeGreaterThan(1);
  });

  it("reads a file, in which paths are beside it, and prints one JSON document", async () => {
    await writeFile(
      join(cwd, "search.yaml"),
      `model: m.safetensors\nbytes: 0.5\nminimize: error\nevaluations: 3\nepochs: 1\nbatchesPerEpoch: 3\nproposals: 1\nrepeats: 2\n`,
    );
    const { code, stdout, stderr } = await espalier(words("search search.yaml --no-compare --json"), { cwd });
    expect(code, stderr).toBe(0);
    const found = JSON.parse(stdout);
    expect(found).toMatchObject({
      ended: "finished",
      goal: { minimize: "error", bytes: 0.5 },
      files: { model: join("espalier-out", "search-m", "chosen.safetensors") },
    });
    expect(found.chosen.trials.length).toBe(2);
    expect(found.chosen.mean.bytes).toBeLessThanOrEqual(0.5);
    // The same command again has nothing left to do.
    const again = await espalier(words("search search.yaml --no-compare --json"), { cwd });
    expect(JSON.parse(again.stdout).chosen).toEqual(found.chosen);
    expect(again.stderr).toBe("");
  });

  it("ends with the nearest model and what stops it", async () => {
    const line = `search m.safetensors --error 0.0001 --evaluations 2 ${short} --out impossible`;
    const { code, stdout, stderr } = await espalier(words(line), { cwd });
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /\nespalier: error ≤ 0\.0001 was met by none of \d candidates; the nearest is candidate \d with [\d.]+ % of the bytes, tuned for 2 epochs: it has a validation error of [\d.]+, 0\.0001 is allowed\. Allow more, or give a larger budget\.\n$/,
    );
    expect(stdout).toContain("report.html");
  });

  it.each<[string, string, RegExp]>([
    ["no model", "search --error +1%", /give a model file, or a search file that names one/],
    [
      "an error that is none",
      "search m.safetensors --error one",
      /Expected a mean squared error such as 0\.39/,
    ],
    [
      "a contradiction",
      "search m.safetensors --minimize bytes --error +1% --bytes 0.1",
      /^espalier: --bytes is what is minimized, so it cannot have a limit\. Drop one of the two\.\n$/,
    ],
    ["no limit at all", "search m.safetensors", /give a limit: --error \+1% for .*, or --bytes 0\.1/],
    ["nothing", "search", /give a model file, or .*, and a limit: --error/],
    [
      "a budget that is none",
      "search m.safetensors --error +1% --budget soon",
      /expected a time such as "30m"/,
    ],
    [
      "an unknown strategy",
      "search m.safetensors --error +1% --strategy chanel",
      /strategy "chanel" is not known\. Did you mean "channel"\?/,
    ],
    [
      "nothing to continue",
      "search m.safetensors --error +1% --resume --out none",
      /there is no search to continue/,
    ],
    [
      "another search in the folder",
      `search m.safetensors --error +2% --evaluations 5 ${short} --out found`,
      /has another goal, model, data, space or settings/,
    ],
    [
      "an unknown key in a file",
      "search bad.yaml",
      /search bad\.yaml, line 2, bites: is not known\. Did you mean "bytes"\?/,
    ],
  ])("refuses %s in one line", async (_, line, message) => {
    await writeFile(join(cwd, "bad.yaml"), "model: m.safetensors\nbites: 0.1\n");
    const { code, stderr } = await espalier(words(line), { cwd });
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split("\n").length).toBe(1);
  });

  it("refuses data that is too short to validate on", async () => {
    const rows = Array.from(
      { length: 150 },
      (_, i) => `${i % 7},${i % 5},${i % 3},${i % 4},${i % 6},${i % 2},${i % 8}`,
    );
    const header = "s1,s2,s3,s4,s5,s6,s7";
    await writeFile(join(cwd, "short.csv"), `${header}\n${rows.join("\n")}\n`);
    const { code, stderr } = await espalier(
      words("search m.safetensors --error +1% --dataset short.csv --out short"),
      { cwd },
    );
    expect(code).toBe(1);
    expect(stderr).toMatch(/windows to validate on are too few to choose by; at least 30 are needed/);
  });
});
