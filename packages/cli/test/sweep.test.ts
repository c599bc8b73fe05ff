import { access, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { espalier, temporaryFolder, words } from "./espalier.ts";

const config = `
name: tiny
models:
  - { use: iTransformer, width: 8, feedForward: 8, heads: 2, layers: 1 }
datasets: [synthetic]
inputLength: 24
horizon: 6
strategies: [{ use: unstructured }, { use: head }]
targets: [{ sparsity: 0.5 }]
training: { epochs: 1, batchesPerEpoch: 3 }
fineTuning: [{ epochs: 1, batchesPerEpoch: 2 }]
backends: [tfjs-cpu]
batchSizes: [1]
latency: { time: 5, samples: 5 }
`;

let cwd: string;
beforeAll(async () => {
  cwd = await temporaryFolder(afterAll);
  await writeFile(join(cwd, "tiny.yaml"), config);
});

describe("a sweep", () => {
  it("that is stopped keeps its cells, writes a report, and goes on where it was", async () => {
    const controller = new AbortController();
    const stopped = await espalier(words("sweep tiny.yaml"), {
      cwd,
      signal: controller.signal,
      onNote: (text) => {
        if (text.startsWith("2/5")) controller.abort();
      },
    });
    expect(stopped.code).toBe(130);
    expect(stopped.stderr).toMatch(
      /1\/5 {2}train iTransformer on synthetic +MSE \d.*\n2\/5 {2}iTransformer, unstructured, sparsity 0.5 +MSE/,
    );
    expect(stopped.stderr).toMatch(
      /\nespalier: stopped after 2 of 5 cells. Repeat the command to continue.\n$/,
    );
    const report = join("espalier-out", "tiny", "report", "report.html");
    expect(stopped.stdout.trimEnd().endsWith(report)).toBe(true);

    const { code, stdout, stderr } = await espalier(words("sweep tiny.yaml"), { cwd });
    expect(code).toBe(0);
    expect(stderr).toMatch(/^3\/5 {2}/);
    expect(stdout).toContain("3 cells done, 2 kept from an earlier run");
    expect(stdout.trimEnd().endsWith(report)).toBe(true);
    await access(join(cwd, report));
  });

  it("prints one JSON document, and does nothing twice", async () => {
    const { code, stdout, stderr } = await espalier(words("sweep tiny.yaml --json"), { cwd });
    expect([code, stderr]).toEqual([0, ""]);
    expect(JSON.parse(stdout)).toMatchObject({
      done: 0,
      kept: 5,
      failed: 0,
      aborted: false,
      report: { html: expect.any(String) },
    });
  });

  it("takes models, strategies and backends from options, and forgets on request", async () => {
    const line = "sweep tiny.yaml --strategies unstructured --backends tfjs-wasm --fresh --json";
    const { code, stdout } = await espalier(words(line), { cwd });
    expect([code, JSON.parse(stdout)]).toMatchObject([0, { done: 3, kept: 0 }]);
    const text = await readFile(join(cwd, "espalier-out", "tiny", "results.jsonl"), "utf8");
    const cells = text
      .trim()
      .split("\n")
      .map((record) => JSON.parse(record).cell);
    expect(cells.map(({ kind }) => kind)).toEqual(["train", "prune", "latency"]);
    expect(cells[2]).toMatchObject({ backend: "tfjs-wasm", pruned: { strategy: { use: "unstructured" } } });
  });
});

describe("a report", () => {
  it("is drawn from a results file, and replaces another by --force alone", async () => {
    const results = join("espalier-out", "tiny", "results.jsonl");
    const draw = (...more: string[]) => espalier(["report", results, "--out", "page", ...more], { cwd });
    expect(await draw("--title", "Mine")).toMatchObject({ code: 0, stderr: "" });
    expect(await readFile(join(cwd, "page", "report.html"), "utf8")).toContain("Mine");
    const again = await draw();
    expect(again).toMatchObject({ code: 1, stdout: "" });
    expect(again.stderr).toMatch(/^espalier: .*page holds a report. Give --force/);
    expect(JSON.parse((await draw("--force", "--json")).stdout)).toMatchObject({ records: 3 });
    expect((await readdir(join(cwd, "page"))).sort()).toEqual(["charts", "report.html", "report.md"]);
  });

  it("is drawn from the results of several sweeps, each of which holds some", async () => {
    const results = join("espalier-out", "tiny", "results.jsonl");
    const lines = (await readFile(join(cwd, results), "utf8")).trimEnd().split("\n");
    await writeFile(join(cwd, "first.jsonl"), `${lines[0]}\n`);
    await writeFile(join(cwd, "second.jsonl"), `${lines.slice(1).join("\n")}\n`);
    await writeFile(join(cwd, "empty.jsonl"), "");
    const draw = (...files: string[]) =>
      espalier(["report", ...files, "--out", "both", "--force", "--json"], { cwd });
    expect(JSON.parse((await draw("first.jsonl", "second.jsonl")).stdout)).toMatchObject({ records: 3 });
    const { code, stderr } = await draw("first.jsonl", "empty.jsonl");
    expect([code, stderr]).toEqual([1, expect.stringMatching(/empty\.jsonl: the file holds no results yet/)]);
  });
});
