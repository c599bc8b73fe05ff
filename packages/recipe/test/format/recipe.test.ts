import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pluginOptions } from "@espalier/core/pruning";
import {
  expand,
  formatRecipe,
  readRecipe,
  recipeJsonSchema,
  type Shorthand,
  targetsOf,
} from "@espalier/recipe";
import { besideRecipe } from "@espalier/recipe/node";
import { createRegistry } from "@espalier/recipe/standard";
import { describe, expect, it, onTestFinished } from "vitest";
import { parse } from "yaml";
import { z } from "zod";

const registry = createRegistry();
const read = (text: string) => readRecipe(text, "recipe r.yaml", registry);

const whole = `# A comment.
format: 1
model:
  use: iTransformer
  width: 16
  weights: start.pth
training:
  epochs: 2
data:
  dataset: prices.csv
  splits: { shares: [0.6, 0.2, 0.2] }
strategies:
  - use: head
    criterion: l2
  - use: unstructured
    structure: 2:4
combined:
  weights: [1, 4]
target:
  flops: 0.5
  latency: 0.6
latency:
  backend: wasm
  batch: 8
schedule:
  steps: 3
  curve: cubic
fineTuning:
  epochs: 1
  distill: 0.5
seed: 4
`;

const steps = `format: 2
model: { use: iTransformer, width: 16 }
target: { bytes: 0.1 }
steps:
  - do: train
    fit: { epochs: 2 }
  - do: prune
    strategy: { use: channel }
    target: { flops: 0.5 }
    reconstruct: {}
  - do: tune
    fit: { epochs: 3 }
    masks:
      strategy: { use: unstructured }
`;

describe("a recipe", () => {
  it("is read as it is written, and is the same after it is written out", () => {
    const { recipe, shorthand } = read(steps);
    expect(recipe).toEqual(parse(steps));
    expect(shorthand).toBeUndefined();
    expect(read(formatRecipe(recipe)).recipe).toEqual(recipe);
  });

  it("of format 1 is read as it is written, and as the steps that it stands for", () => {
    const { shorthand, recipe, place } = read(whole);
    expect(shorthand).toEqual(parse(whole));
    expect(place("data", "dataset")).toBe("recipe r.yaml, line 10, data.dataset");
    expect(read(formatRecipe(shorthand!))).toMatchObject({ shorthand, recipe });
    expect(read(formatRecipe(recipe)).recipe).toEqual(recipe);
    const strategy = { use: "combined", weights: [1, 4], stages: shorthand!.strategies };
    const tune = { do: "tune", fit: { epochs: 1 }, distill: 0.5 };
    const part = (i: number) => ({
      do: "prune",
      strategy,
      target: { progress: i / 3, curve: "cubic" },
      acceptNearest: true,
    });
    expect(recipe.steps).toEqual([
      { do: "train", fit: { epochs: 2 } },
      ...[part(1), tune, part(2), tune, { do: "prune", strategy }, tune],
    ]);
  });

  it("that was kept is read as the steps that it was kept with", async () => {
    const kept = fileURLToPath(new URL("../kept", import.meta.url));
    const files = (await readdir(kept)).filter((name) => name.endsWith(".yaml"));
    expect(files.length).toBeGreaterThan(2);
    for (const file of files) {
      const { recipe } = read(await readFile(join(kept, file), "utf8"));
      const steps = JSON.parse(await readFile(join(kept, file.replace(".yaml", ".steps.json")), "utf8"));
      expect(recipe, file).toEqual(steps);
    }
  });

  it("may be JSON", () => {
    for (const text of [whole, steps]) {
      const { recipe } = read(text);
      expect(read(JSON.stringify(recipe)).recipe).toEqual(recipe);
    }
  });

  it("takes every setting of a fit, whatever those are", () => {
    const settings = "epochs: 1, batchSize: 8, weightDecay: 0.1, warmup: 0.1, regrow: { every: 5 }";
    const { recipe } = read(
      `strategies: [{ use: unstructured }]\ntarget: { flops: 0.5 }\nfineTuning: { ${settings} }`,
    );
    expect(recipe.steps[1]).toMatchObject({ fit: { batchSize: 8, weightDecay: 0.1, regrow: { every: 5 } } });
  });
});

describe("the shorthand stands for", () => {
  const fit = { epochs: 1 };
  const [head, weights] = [{ use: "head" }, { use: "unstructured" }];
  const short = (more: Partial<Shorthand>): Shorthand => ({
    strategies: [head, weights],
    target: { flops: 0.25 },
    fineTuning: { ...fit },
    ...more,
  });

  it("all strategies as one, then one fit", () => {
    expect(expand(short({ reconstruction: {}, acceptNearest: true })).steps).toEqual([
      {
        do: "prune",
        strategy: { use: "combined", stages: [head, weights] },
        acceptNearest: true,
        reconstruct: {},
      },
      { do: "tune", fit },
    ]);
  });

  it("a fit after each strategy, each an equal share of the way", () => {
    expect(expand(short({ schedule: { tune: "each" } })).steps).toEqual([
      { do: "prune", strategy: head, target: { progress: 0.5 }, acceptNearest: true },
      { do: "tune", fit },
      { do: "prune", strategy: weights },
      { do: "tune", fit },
    ]);
  });

  it("removal first, and masks that tighten in the fit", () => {
    const gradual = { until: 0.5 };
    expect(expand(short({ schedule: { gradual, curve: "linear" }, reconstruction: {} })).steps).toEqual([
      { do: "prune", strategy: head, target: { progress: 0.5 }, acceptNearest: true, reconstruct: {} },
      { do: "tune", fit, masks: { strategy: weights, until: 0.5, curve: "linear" } },
    ]);
  });

  it("targets that go the same share of what is left, or along another curve", () => {
    const targets = (target: Shorthand["target"], steps: number, curve?: "linear" | "cubic") => {
      const schedule = { steps, ...(curve && { curve }) };
      const all = targetsOf(expand(short({ strategies: [head], target, schedule })));
      return all.filter((one) => one !== undefined);
    };
    expect(targets({ flops: 0.25 }, 2)).toEqual([{ flops: 0.5 }, { flops: 0.25 }]);
    expect(targets({ flops: 0.25 }, 2, "linear")).toEqual([{ flops: 0.625 }, { flops: 0.25 }]);
    const cubic = targets({ sparsity: 0.9 }, 3, "cubic").map(({ sparsity }) => sparsity);
    [0.9 * (1 - (2 / 3) ** 3), 0.9 * (1 - (1 / 3) ** 3), 0.9].forEach((expected, i) => {
      expect(cubic[i]).toBeCloseTo(expected, 12);
    });
    expect(targets({ flops: 0.36, bytes: 0.81, latency: 0.25 }, 2)[0]).toEqual({
      flops: 0.6,
      bytes: 0.9,
      latency: 0.5,
    });
  });
});

/** The whole recipe with one line in the place of another. */
const changed = (from: string, to: string) => {
  expect(whole).toContain(from);
  return whole.replace(from, to);
};

describe("a recipe that is not sound is refused with line, key and what is allowed:", () => {
  it.each<[string, string, string | RegExp]>([
    [
      "an unknown key",
      changed("fineTuning:", "finetuning:"),
      /^recipe r.yaml, line 28, finetuning: is not known\. Did you mean "fineTuning"\? Known: \$schema, label, .*fineTuning\.$/,
    ],
    [
      "more epochs than anybody means",
      changed("epochs: 2", "epochs: 1e12"),
      /epochs: expected at most 1000000/,
    ],
    [
      "a slip in a key that must be there",
      changed("strategies:", "stategies:"),
      /^recipe r.yaml, line 12, stategies: is not known\. Did you mean "strategies"\?/,
    ],
    [
      "an unknown key further down",
      changed("  curve: cubic", "  curv: cubic"),
      'recipe r.yaml, line 27, schedule.curv: is not known. Did you mean "curve"? Known: steps, curve, tune, gradual.',
    ],
    [
      "an unknown setting of a fit",
      changed("  epochs: 2", "  epochs: 2\n  learning-rate: 1"),
      /line 9, training.learning-rate: is not known\. Did you mean "learningRate"\? Known: epochs, batchSize, /,
    ],
    [
      "a word that is none of those allowed",
      changed("cubic", "cubik"),
      'recipe r.yaml, line 27, schedule.curve: "cubik" is not one of these. Did you mean "cubic"? Known: linear, cubic, exponential.',
    ],
    [
      "text for a number",
      changed("seed: 4", "seed: four"),
      'recipe r.yaml, line 31, seed: expected a number, found "four".',
    ],
    [
      "a percentage",
      changed("flops: 0.5", "flops: 50"),
      "recipe r.yaml, line 20, target.flops: expected at most 1, found 50. Did you mean 0.5?",
    ],
    [
      "no target",
      changed("  flops: 0.5\n  latency: 0.6", "  {}"),
      /target: names nothing: give one or more of/,
    ],
    ["nothing to do", "format: 1\n", "recipe r.yaml, line 1, strategies: is missing: expected a list."],
    ["an empty file", "", "recipe r.yaml, line 1: expected keys and values, found null."],
    ["a list", "- use: head\n", /^recipe r.yaml, line 1: expected keys and values, found \[/],
    [
      "an unknown strategy",
      changed("use: head", "use: heads"),
      /^recipe r.yaml, line 13, strategies.0: strategy "heads" is not known\. Did you mean "head"\? Known: .*--plugin\)\.$/,
    ],
    [
      "an unknown option of a strategy",
      changed("structure: 2:4", "structur: 2:4"),
      'recipe r.yaml, line 15, strategies.1: strategy "unstructured", structur: is not known. Did you mean "structure"?',
    ],
    [
      "weights of too many strategies",
      changed("[1, 4]", "[1, 4, 4]"),
      "recipe r.yaml, line 17, combined: combined has 2 strategies and 3 weights",
    ],
    [
      "an unknown model",
      changed("iTransformer", "iTransfomer"),
      'line 3, model: model "iTransfomer" is not known.',
    ],
    [
      "an unknown option of a model",
      changed("  width: 16", "  widht: 16"),
      'line 3, model: model "iTransformer", widht: is not known. Did you mean "width"?',
    ],
    [
      "an unknown backend",
      changed("backend: wasm", "backend: wasn"),
      'line 23, latency.backend: backend "wasn"',
    ],
    [
      "a curve without steps",
      changed("  steps: 3\n", ""),
      "schedule.curve: only applies with schedule.steps or schedule.gradual.",
    ],
    [
      "a schedule without fine-tuning",
      changed("fineTuning:\n  epochs: 1\n  distill: 0.5\n", ""),
      "line 26, schedule.steps: only applies with fineTuning.",
    ],
    [
      "masks that tighten in steps",
      changed("  curve: cubic", "  curve: cubic\n  gradual: { until: 0.5 }"),
      "line 28, schedule.gradual: cannot be combined with schedule.steps.",
    ],
    [
      "a setting of another schedule",
      changed("  curve: cubic", "  gradual: { unitl: 0.5 }"),
      'line 27, schedule.gradual.unitl: is not known. Did you mean "until"? Known: until, every.',
    ],
    [
      "an unknown way to refit",
      changed("seed: 4", "reconstruction: { method: ols }"),
      'line 31, reconstruction.method: "ols" is not one of these. Did you mean "obs"? Known: least-squares, obs.',
    ],
    [
      "training of a file",
      changed("  use: iTransformer\n  width: 16\n  weights: start.pth", "  m.safetensors"),
      "training: only applies with model.use.",
    ],
    [
      "a model without weights",
      changed("  weights: start.pth\ntraining:\n  epochs: 2\n", ""),
      "line 3, model: has no weights yet: add training, or model.weights.",
    ],
    [
      "a newer format",
      changed("format: 1", "format: 3"),
      "recipe r.yaml: recipe format 3 is newer than this version of Espalier knows (2). Update Espalier.",
    ],
    [
      "a step nobody knows",
      steps.replace("do: tune", "do: tone"),
      'recipe r.yaml, line 11, steps.2.do: "tone" is not one of these. Did you mean "tune"? Known: train, prune, apply, tune.',
    ],
    [
      "a slip in a step's key",
      steps.replace("reconstruct:", "reconstrct:"),
      'recipe r.yaml, line 10, steps.1.reconstrct: is not known. Did you mean "reconstruct"? Known: do, strategy, target, acceptNearest, reconstruct, seed.',
    ],
    [
      "a step's strategy nobody knows",
      steps.replace("use: channel", "use: chanel"),
      'recipe r.yaml, line 8, steps.1.strategy: strategy "chanel" is not known. Did you mean "channel"?',
    ],
    [
      "masks by a strategy that removes",
      steps.replace("use: unstructured", "use: head"),
      /line 14, steps.2.masks.strategy: "head" removes parts of the model; only weights can be masked/,
    ],
    [
      "steps in an order that makes no sense",
      `${steps}  - do: train\n    fit: { epochs: 1 }\n`,
      "recipe r.yaml, line 15, steps.3.do: train comes before pruning.",
    ],
    [
      "part of the way and a target at once",
      steps.replace("{ flops: 0.5 }", "{ flops: 0.5, progress: 0.5 }"),
      "steps.1.target: give either progress or a target, not both.",
    ],
  ])("%s", (_, text, message) => {
    let said = "";
    try {
      read(text);
    } catch (error) {
      expect((error as Error).name).toBe("EspalierError");
      said = (error as Error).message;
    }
    expect(said).not.toContain("\n");
    if (typeof message === "string") expect(said).toContain(message);
    else expect(said).toMatch(message);
  });
});

describe("a recipe from a stranger", () => {
  const laughs = `a: &a [x, x]\n${Array.from({ length: 30 }, (_, i) => `b${i}: &b${i} [*${i === 0 ? "a" : `b${i - 1}`}, *a]`).join("\n")}`;
  it.each<[string, string, RegExp]>([
    ["aliases", laughs, /^recipe r.yaml, line 2: aliases \(\*\) are not allowed/],
    [
      "a tag that names a type",
      "name: !!js/function 'x'",
      /^recipe r.yaml, line 1: tags \(tag:yaml.org,2002:js\/function\) are not allowed/,
    ],
    ["a tag of YAML's own", "name: !!binary aGk=", /tags .* are not allowed/],
    ["keys that are no text", "[a, b]: c", /^recipe r.yaml, line 1: not valid YAML or JSON: /],
    ["keys twice", "seed: 1\nseed: 2", /^recipe r.yaml, line 2: .*unique/],
    ["several documents", "seed: 1\n---\nseed: 2", /multiple documents/],
    [
      "deep nesting",
      `name: ${"[".repeat(100_000)}`,
      /^recipe r.yaml, line 1: not valid YAML or JSON: [^\n]+$/,
    ],
    [
      "more than anybody writes",
      `name: ${"x".repeat(300_000)}`,
      /^recipe r.yaml: 300006 characters, but at most 262144/,
    ],
    ["a prototype", "__proto__: { seed: 1 }", /line 1: the key __proto__ is not allowed/],
  ])("may not hold %s", (_, text, message) => {
    expect(() => read(text)).toThrow(message);
  });

  it("names files beside it, or below, and no others: neither by path nor by link", async () => {
    const root = await mkdtemp(join(tmpdir(), "espalier-recipe-"));
    onTestFinished(() => rm(root, { recursive: true, force: true }));
    const folder = join(root, "mine");
    await mkdir(join(folder, "data"), { recursive: true });
    await writeFile(join(folder, "data", "a.csv"), "a\n1\n");
    await writeFile(join(root, "secret.csv"), "a\n1\n");
    await symlink(join(root, "secret.csv"), join(folder, "link.csv"));
    await symlink(root, join(folder, "up"));
    expect(await besideRecipe(folder, "data/a.csv", "here")).toBe(join(folder, "data", "a.csv"));
    expect(await besideRecipe(folder, "data/../data/a.csv", "here")).toBe(join(folder, "data", "a.csv"));
    // What is not there is somebody else's error.
    expect(await besideRecipe(folder, "no.csv", "here")).toBe(join(folder, "no.csv"));
    for (const path of ["../secret.csv", join(folder, "data", "a.csv"), "link.csv", "up/secret.csv", ".."]) {
      await expect(besideRecipe(folder, path, "recipe r.yaml, line 3, data.dataset")).rejects.toThrow(
        `recipe r.yaml, line 3, data.dataset: "${path}" is outside the recipe's folder.`,
      );
    }
  });
});

describe("the JSON schema of recipes", () => {
  const schema = recipeJsonSchema(registry) as { anyOf: { properties: Record<string, Part> }[] };
  interface Part {
    readonly properties: Record<string, Part>;
    readonly const?: string;
    readonly anyOf: Part[];
    readonly oneOf: Part[];
    readonly items: Part;
  }

  it("has every strategy and every model, with the options that their own schemas have", () => {
    const [long, short] = schema.anyOf.map(({ properties }) => properties);
    const prune = long!.steps!.items.oneOf.find(({ properties }) => properties.do!.const === "prune")!;
    for (const strategies of [short!.strategies!.items.anyOf, prune.properties.strategy!.anyOf]) {
      expect(strategies.map(({ properties }) => properties.use!.const)).toEqual([
        ...registry.strategies.keys(),
      ]);
      for (const { properties } of strategies) {
        const options = pluginOptions(registry.strategies.get(properties.use!.const!)!);
        const keys = Object.keys(properties).filter((key) => key !== "use");
        expect(keys.sort()).toEqual(Object.keys(options!).sort());
      }
    }
    const drawn = long!.model!.anyOf.slice(1);
    expect(drawn.map(({ properties }) => properties.use!.const)).toEqual([...registry.models.keys()]);
    for (const { properties } of drawn) expect(Object.keys(properties)).toContain("inputLength");
    expect(Object.keys(short!.combined!.properties)).toEqual(["weights"]);
    expect(Object.keys(short!.fineTuning!.properties)).toContain("learningRate");
  });

  it("accepts every recipe of the gallery, and no slip of a key", async () => {
    const check = z.fromJSONSchema(schema as unknown as Parameters<typeof z.fromJSONSchema>[0]);
    const gallery = fileURLToPath(new URL("../../../../recipes", import.meta.url));
    const files = (await readdir(gallery)).filter((name) => name.endsWith(".yaml"));
    expect(files.length).toBeGreaterThan(9);
    for (const file of files) {
      const recipe = parse(await readFile(join(gallery, file), "utf8")) as Record<string, object[]>;
      expect(check.safeParse(recipe).error, file).toBeUndefined();
      const key = recipe.steps === undefined ? "strategies" : "steps";
      const slips = [
        { ...recipe, stratgies: [] },
        { ...recipe, [key]: [{ ...recipe[key]![0], slip: 1 }] },
      ];
      for (const slip of slips) expect(check.safeParse(slip).success, file).toBe(false);
    }
  });

  it("lies beside the gallery as it is", async () => {
    const path = fileURLToPath(new URL("../../../../recipes/recipe.schema.json", import.meta.url));
    const stored = JSON.parse(await readFile(path, "utf8"));
    expect(stored, "run: espalier recipe --schema > recipes/recipe.schema.json").toEqual(
      JSON.parse(JSON.stringify(schema)),
    );
  });
});
