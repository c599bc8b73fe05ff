import { criterionNames } from "@espalier/core";
import { pluginOptions } from "@espalier/core/pruning";
import { models } from "@espalier/models";
import { createRegistry } from "@espalier/recipe/standard";
import { readSettings } from "@espalier/training";
import { describe, expect, it } from "vitest";
import { commands } from "../src/commands/index.ts";
import { espalier, words } from "./espalier.ts";

describe("help", () => {
  it("lists every command, also without arguments", async () => {
    const help = await espalier(["--help"]);
    expect(help).toMatchObject({ code: 0, stderr: "" });
    for (const { name, summary } of commands)
      expect(help.stdout).toMatch(new RegExp(`  ${name} +${summary}`));
    expect(await espalier([])).toEqual(help);
  });

  it.each(commands.map(({ name }) => name))(
    "of %s has a description, and two to four examples that it understands",
    async (name) => {
      const { code, stdout, stderr } = await espalier([name, "--help"]);
      expect([code, stderr]).toEqual([0, ""]);
      const examples = stdout
        .slice(stdout.indexOf("Examples:"))
        .replace(/\\\n/g, "")
        .split("  $ espalier ")
        .slice(1);
      expect(examples.length).toBeGreaterThanOrEqual(2);
      expect(examples.length).toBeLessThanOrEqual(4);
      for (const example of examples) {
        // What follows a mistake in an example would not be reached.
        const line = words(example.replaceAll('"', "").replaceAll("\n", " "));
        expect((await espalier([...line, "--not-an-option"])).stderr).toContain(
          'unknown option "--not-an-option"',
        );
      }
      for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
    },
  );

  it("names the models and the defaults there are", async () => {
    const train = (await espalier(["train", "--help"])).stdout.replace(/\s+/g, " ");
    for (const name of models.keys()) expect(train).toContain(name);
    const { epochs, learningRate, batchSize, patience, weightDecay, seed } = readSettings({});
    expect(train).toContain(`at most this many (${epochs})`);
    expect(train).toContain(`learning rate of Adam (${learningRate})`);
    expect(train).toContain(`windows per step (${batchSize})`);
    expect(train).toContain(`0 for never (${patience})`);
    expect(train).toContain(`weight decay of Adam (${weightDecay})`);
    expect(train).toContain(`order of windows (${seed})`);
    expect([...createRegistry().backends.keys()]).toContain("tfjs-wasm");
    const prune = (await espalier(["prune", "--help"])).stdout.replace(/\s+/g, " ");
    for (const plugin of createRegistry().strategies.values()) {
      expect(prune).toContain(` ${plugin.name} `);
      for (const option of Object.keys(pluginOptions(plugin)!)) expect(prune).toContain(` ${option} `);
    }
    for (const name of criterionNames) expect(prune).toContain(name);
  });

  it("has colours on request alone", async () => {
    expect((await espalier(["--help"], { env: { FORCE_COLOR: "1" } })).stdout).toContain("\u001b[1mUsage:");
    expect((await espalier(["--help"], { env: { FORCE_COLOR: "1", NO_COLOR: "1" } })).stdout).not.toContain(
      "\u001b",
    );
  });
});

describe("a command line that is not understood", () => {
  it.each([
    ["trian", 'unknown command "trian". Did you mean "train"? See espalier --help.'],
    ["train --eposch 3", 'unknown option "--eposch". Did you mean "--epochs"? See espalier train --help.'],
    ["train --frobnicate", 'unknown option "--frobnicate". See espalier train --help.'],
    ["train", "give --out FILE for the model. See espalier train --help."],
    [
      "prune --strategy head --sparsity 0.5 --dry-run",
      "give a model file, or --recipe FILE that names one. See espalier prune --help.",
    ],
    [
      "train --epochs two",
      'option "--epochs <n>" argument "two" is invalid. Expected a whole number, 0 or more. See espalier train --help.',
    ],
    [
      "train --missing guess",
      'option "--missing <rule>" argument "guess" is invalid. Allowed choices are error, forward-fill, interpolate, drop. See espalier train --help.',
    ],
    [
      "train --set width",
      'option "--set <key=value>" argument "width" is invalid. Expected key=value. See espalier train --help.',
    ],
    ["datasets fetsh", 'dataset "fetsh" is not known. Known: ETTh1'],
  ])("%s", async (line, message) => {
    const { code, stdout, stderr } = await espalier(words(line));
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^espalier: [^\n]+\n$/);
    expect(stderr).toContain(message);
  });
});
