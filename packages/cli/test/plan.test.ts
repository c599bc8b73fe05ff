import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { digest } from "@espalier/core";
import { loadModel } from "@espalier/formats/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { espalier, temporaryFolder, tinyTrain, words } from "./espalier.ts";

let cwd: string;
const example = fileURLToPath(new URL("../../../examples/custom-strategy", import.meta.url));
const run = (line: string, more: readonly string[] = []) => espalier([...words(line), ...more], { cwd });
const bytes = (name: string) => readFile(join(cwd, name));
const weights = async (name: string) => digest(await loadModel(join(cwd, name)));

beforeAll(async () => {
  cwd = await temporaryFolder(afterAll);
  expect(await espalier(tinyTrain("m.safetensors", "--epochs 1"), { cwd })).toMatchObject({ code: 0 });
});

describe("plans", () => {
  it("give the same weights when they are carried out again, and are refused by another model", async () => {
    expect(
      await run(
        "prune m.safetensors --strategy channel --parameters 0.6 --out a.safetensors --plan-out a.json",
      ),
    ).toMatchObject({ code: 0 });
    expect(await run("prune m.safetensors --plan a.json --out b.safetensors")).toMatchObject({ code: 0 });
    expect(await weights("b.safetensors")).toBe(await weights("a.safetensors"));
    const twice = await run("prune a.safetensors --plan a.json --out c.safetensors");
    expect(twice).toMatchObject({ code: 1 });
    expect(twice.stderr).toMatch(
      /^espalier: the plan was made for another model \(or this one was already pruned\)/,
    );
  });

  it("can be all that is asked for, without a model", async () => {
    const { code, stdout } = await run(
      "prune m.safetensors --strategy head --sparsity 0.1 --plan-out only.json --json",
    );
    expect([code, JSON.parse(stdout).written]).toEqual([0, ["only.json"]]);
    expect(JSON.parse(await readFile(join(cwd, "only.json"), "utf8"))).toMatchObject({
      format: 1,
      strategy: "head",
    });
  });

  it("that cannot meet their target are an error with the reason, the nearest plan, and no model", async () => {
    const { code, stdout, stderr } = await run(
      "prune m.safetensors --strategy head --flops 0.1 --out n.safetensors --plan-out n.json",
    );
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(
      /^espalier: target flops ≤ 10 % cannot be met by "head": with everything that "head" may remove, \d+\.\d % of the flops remain\. Wrote the nearest plan to n.json\.\n$/,
    );
    await expect(bytes("n.safetensors")).rejects.toThrow("ENOENT");
    const coarse = await run("prune m.safetensors --strategy head --flops 0.93 --out n.safetensors");
    expect([coarse.code, coarse.stderr]).toEqual([
      1,
      expect.stringMatching(
        /^espalier: target flops ≤ 93 % can only be overshot by "head": "head" removes too much at a time to come within 2 % of it; nearest: \d+\.\d % of the flops remain\. Give --accept-nearest/,
      ),
    ]);
    const nearest = await run(
      "prune m.safetensors --strategy head --flops 0.1 --out n.safetensors --accept-nearest",
    );
    expect(nearest).toMatchObject({ code: 0 });
    expect(nearest.stdout.replace(/\s+/g, " ")).toContain("asked for flops 0.1 (the nearest possible)");
    expect(await run("prune m.safetensors --plan n.json --out replayed.safetensors")).toMatchObject({
      code: 0,
    });
    expect(await weights("replayed.safetensors")).toBe(await weights("n.safetensors"));
  });
});

describe("a strategy of a plug-in", () => {
  it.each([
    ["a file", join(example, "src", "index.ts")],
    ["a folder with a package", example],
  ])("is found in %s, with its options", async (_, plugin) => {
    const line = "prune m.safetensors --strategy slimming --round-to 2 --parameters 0.7 --dry-run --json";
    const { code, stdout, stderr } = await run(line, ["--plugin", plugin]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(JSON.parse(stdout)).toMatchObject({ strategy: "slimming", target: { metric: "parameters" } });
  });

  it("is refused an option it does not list", async () => {
    const { stderr } = await run(
      "prune m.safetensors --strategy slimming --criterion l1 --parameters 0.7 --dry-run",
      ["--plugin", example],
    );
    expect(stderr).toBe(
      'espalier: strategy "slimming": option "criterion" is not known. Known: multipleOf.\n',
    );
  });

  it.each([
    ["in create", "create() { null.x; }", 'strategy "mine" failed: TypeError: Cannot read'],
    ["no strategy", "create() {}", 'strategy "mine" failed: TypeError: create gives no object'],
    [
      "in plan",
      'create: () => ({ name: "mine", plan: async () => null.x })',
      'strategy "mine" failed: TypeError',
    ],
    [
      "a plan of its own",
      'create: () => ({ name: "mine", plan: async () => ({ steps: 1 }) })',
      'strategy "mine" failed',
    ],
    [
      "half a plan",
      'create: () => ({ name: "mine", plan: async () => ({ steps: [] }) })',
      'the plan of "mine": not an',
    ],
  ])("is told its own mistakes as such: %s", async (_, create, message) => {
    await writeFile(
      join(cwd, `${_}.mjs`),
      `export const plugin = { name: "mine", description: "x", ${create} };\n`,
    );
    const { code, stderr } = await run("prune m.safetensors --strategy mine --parameters 0.7 --dry-run", [
      "--plugin",
      `./${_}.mjs`,
    ]);
    expect(code).toBe(1);
    expect(stderr).toContain(`espalier: plugin ./${_}.mjs: ${message}`);
    expect(stderr).not.toContain("bug in Espalier");
  });

  it("must export a plug-in", async () => {
    await writeFile(join(cwd, "none.mjs"), "export const strategy = 1;\n");
    await writeFile(join(cwd, "broken.mjs"), "export const = 1;\n");
    const line = "prune m.safetensors --strategy x --parameters 0.7 --dry-run";
    expect((await run(line, ["--plugin", "./none.mjs"])).stderr).toBe(
      'espalier: plugin ./none.mjs: does not export "plugin" with a name and a function create.\n',
    );
    expect((await run(line, ["--plugin", "./broken.mjs"])).stderr).toMatch(
      /^espalier: plugin .\/broken.mjs: cannot be loaded: [^\n]+\n$/,
    );
  });
});
