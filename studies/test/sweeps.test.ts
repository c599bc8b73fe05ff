import { readFileSync } from "node:fs";
import { cellsOf, findPreset, parseSweepConfig, recipeOf } from "@espalier/bench";
import { problemsIn } from "@espalier/recipe";
import { createRegistry } from "@espalier/recipe/standard";
import { expect, it } from "vitest";

it.each(["sedimark", "sedimark-full", "kiefer", "kiefer-full"])(
  "%s, a preset once, is a sweep file",
  (name) => {
    const file = `studies/${name.replace("-full", "")}/${name.endsWith("-full") ? "full" : "smoke"}.yaml`;
    const text = readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");
    expect(cellsOf(parseSweepConfig(text, file)).length).toBeGreaterThan(50);
    expect(() => findPreset(name)).toThrow(
      `preset "${name}" is now a sweep file of Espalier's repository: espalier sweep ${file}`,
    );
  },
);

it.each([
  "etth1-pruning/itransformer",
  "etth1-pruning/patchtst",
  "speed/itransformer-etth1",
  "speed/patchtst-etth1",
  "speed/itransformer-weather",
])("%s is a sweep over recipes", (name) => {
  const file = `studies/${name}.yaml`;
  const config = parseSweepConfig(readFileSync(new URL(`../../${file}`, import.meta.url), "utf8"), file);
  const pruned = cellsOf(config).filter((cell) => cell.kind === "prune");
  expect(pruned.length).toBe(3 * config.recipes.length);
  for (const cell of pruned) expect(problemsIn(recipeOf(cell), { registry: createRegistry() })).toEqual([]);
});
