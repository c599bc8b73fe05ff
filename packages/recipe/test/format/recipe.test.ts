import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { formatRecipe, readRecipe, recipeJsonSchema } from "@espalier/recipe";
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

describe("a recipe", () => {
  it("is read as it is written, and is the same after it is written out", () => {
    const { recipe, place } = read(whole);
    expect(recipe).toMatchObject({ model: { weights: "start.pth" }, target: { flops: 0.5 }, seed: 4 });
    expect(place("data", "dataset")).toBe("recipe r.yaml, line 10, data.dataset");
    expect(read(formatRecipe(recipe)).recipe).toEqual(recipe);
  });

  it("may be JSON", () => {
    const { recipe } = read(whole);
    expect(read(JSON.stringify(recipe)).recipe).toEqual(recipe);
  });

  it("takes every setting of a fit, whatever those are", () => {
    const settings = "epochs: 1, batchSize: 8, weightDecay: 0.1, warmup: 0.1, regrow: { every: 5 }";
    const { recipe } = read(
      `strategies: [{ use: head }]\ntarget: { flops: 0.5 }\nfineTuning: { ${settings} }`,
    );
    expect(recipe.fineTuning).toMatchObject({ batchSize: 8, weightDecay: 0.1, regrow: { every: 5 } });
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
      /^recipe r.yaml, line 28, finetuning: is not known\. Did you mean "fineTuning"\? Known: \$schema, format, .*seed\.$/,
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
      'recipe r.yaml, line 15, strategies.1: strategy "unstructured": option "structur" is not known. Did you mean "structure"?',
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
      'line 3, model: model "iTransformer": option "widht" is not known. Did you mean "width"?',
    ],
    [
      "an unknown backend",
      changed("backend: wasm", "backend: wasn"),
      'line 23, latency.backend: backend "wasn"',
    ],
    [
      "a curve without steps",
      changed("  steps: 3\n", ""),
      "schedule.curve: is of steps: give schedule.steps, or gradual.",
    ],
    [
      "a schedule without fine-tuning",
      changed("fineTuning:\n  epochs: 1\n  distill: 0.5\n", ""),
      "line 25, schedule: is of fine-tuning: give fineTuning.",
    ],
    [
      "masks that tighten in steps",
      changed("  curve: cubic", "  curve: cubic\n  gradual: { until: 0.5 }"),
      "line 28, schedule.gradual: goes on within one fit: leave steps and tune out.",
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
      "training: is of a model that is drawn",
    ],
    [
      "a model without weights",
      changed("  weights: start.pth\ntraining:\n  epochs: 2\n", ""),
      "line 3, model: has no weights yet: give training, or model.weights.",
    ],
    [
      "a newer format",
      changed("format: 1", "format: 2"),
      "recipe r.yaml: recipe format 2 is newer than this version of Espalier knows (1). Update Espalier.",
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
    ["aliases", laughs, /^recipe r.yaml, line 2: aliases \(\*\) are not read/],
    [
      "a tag that names a type",
      "name: !!js/function 'x'",
      /^recipe r.yaml, line 1: tags \(tag:yaml.org,2002:js\/function\) are not read/,
    ],
    ["a tag of YAML's own", "name: !!binary aGk=", /tags .* are not read/],
    ["keys that are no text", "[a, b]: c", /^recipe r.yaml, line 1: this is neither YAML nor JSON: /],
    ["keys twice", "seed: 1\nseed: 2", /^recipe r.yaml, line 2: .*unique/],
    ["several documents", "seed: 1\n---\nseed: 2", /multiple documents/],
    [
      "deep nesting",
      `name: ${"[".repeat(100_000)}`,
      /^recipe r.yaml, line 1: this is neither YAML nor JSON: [^\n]+$/,
    ],
    [
      "more than anybody writes",
      `name: ${"x".repeat(300_000)}`,
      /^recipe r.yaml: 300006 characters; at most 262144/,
    ],
    ["a prototype", "__proto__: { seed: 1 }", /line 1: the key __proto__ is not read/],
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
        `recipe r.yaml, line 3, data.dataset: "${path}" leads out of the recipe's folder.`,
      );
    }
  });
});

describe("the JSON schema of recipes", () => {
  const schema = recipeJsonSchema(registry) as {
    properties: Record<string, { anyOf: Named[]; items: { anyOf: Named[] }; properties: object }>;
  };
  interface Named {
    readonly properties: Record<string, { const?: string }>;
  }

  it("has every strategy and every model, with the options that their own schemas have", () => {
    const strategies = schema.properties.strategies!.items.anyOf;
    expect(strategies.map(({ properties }) => properties.use!.const)).toEqual([
      ...registry.strategies.keys(),
    ]);
    for (const { properties } of strategies) {
      const { options } = registry.strategies.get(properties.use!.const!)!;
      expect(
        Object.keys(properties)
          .filter((key) => key !== "use")
          .sort(),
      ).toEqual(Object.keys(options!).sort());
    }
    const drawn = schema.properties.model!.anyOf.slice(1);
    expect(drawn.map(({ properties }) => properties.use!.const)).toEqual([...registry.models.keys()]);
    for (const { properties } of drawn) expect(Object.keys(properties)).toContain("inputLength");
    expect(Object.keys(schema.properties.combined!.properties)).toEqual(["weights"]);
    expect(Object.keys(schema.properties.fineTuning!.properties)).toContain("learningRate");
  });

  it("accepts every recipe of the gallery, and no slip of a key", async () => {
    const check = z.fromJSONSchema(schema as unknown as Parameters<typeof z.fromJSONSchema>[0]);
    const gallery = fileURLToPath(new URL("../../../../recipes", import.meta.url));
    const files = (await readdir(gallery)).filter((name) => name.endsWith(".yaml"));
    expect(files.length).toBeGreaterThan(9);
    for (const file of files) {
      const recipe = parse(await readFile(join(gallery, file), "utf8")) as { strategies: object[] };
      expect(check.safeParse(recipe).error, file).toBeUndefined();
      const slips = [
        { ...recipe, stratgies: [] },
        { ...recipe, strategies: [{ ...recipe.strategies[0], slip: 1 }] },
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
