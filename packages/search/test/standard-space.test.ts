import { readFile } from "node:fs/promises";
import type { StrategyPlugin } from "@espalier/core";
import { randomStream } from "@espalier/core/graph";
import { problemsIn, readRecipe } from "@espalier/recipe";
import { createRegistry } from "@espalier/recipe/standard";
import { plugin as unstructured } from "@espalier/strategy-unstructured";
import { describe, expect, it } from "vitest";
import { type Goal, galleryAt, search, standardSpace } from "../src/index.ts";
import { randomPoint } from "../src/tpe.ts";
import { model, registry, request, workbench } from "./small.ts";

const goals: Record<string, Goal> = {
  "the smallest model within an error": { minimize: "bytes", error: "+1%" },
  "the least FLOPs within an error and a size": { minimize: "flops", error: 0.4, bytes: 0.3 },
  "the best model within two sizes": { minimize: "error", bytes: 0.1, flops: 0.2 },
  "the fastest model within an error": { minimize: "latency", error: "+1%" },
};

describe("the standard space", () => {
  it.each(Object.entries(goals))("has only recipes that make sense, for %s", (_, goal) => {
    const space = standardSpace({ model, goal, registry });
    const random = randomStream(2, "recipes");
    const points = [
      ...space.seeds!.map(({ point }) => point),
      ...Array.from({ length: 300 }, () => randomPoint(space, random)),
    ];
    for (const point of points) {
      const recipe = space.recipe(point, 3);
      expect(problemsIn(recipe, { registry, model }), JSON.stringify(recipe)).toEqual([]);
      expect(recipe.steps.at(-1)).toMatchObject({ do: "tune", fit: { epochs: 3 } });
    }
  });

  it("reaches the limits by its last pruning step", () => {
    const goal: Goal = { minimize: "flops", error: 0.4, bytes: 0.3 };
    const space = standardSpace({ model, goal, registry });
    const point = { ...space.seeds![0]!.point, size: 0.02 };
    const { steps } = space.recipe(point, 9);
    expect(steps.at(-1)).toMatchObject({ masks: { target: { bytes: 0.3, flops: 0.02 } } });
    expect(steps.slice(0, -1)).toMatchObject([
      { strategy: { use: "depth", modules: ["attention"], keepAtLeast: 0 } },
      { strategy: { use: "channel" }, target: { flops: Number((0.02 ** 0.54).toPrecision(4)) } },
    ]);
  });

  it("takes strategies from outside: those that mask, and those that remove", async () => {
    const mine: StrategyPlugin = { ...unstructured, name: "mine" };
    const cut: StrategyPlugin = {
      ...createRegistry().strategies.get("channel")!,
      name: "cut",
    };
    const more = createRegistry([mine, cut]);
    const goal: Goal = { minimize: "error", bytes: 0.7 };
    const space = standardSpace({ model, goal, registry: more, strategies: ["mine", "cut"] });
    const random = randomStream(3, "outside");
    const used = new Set(
      Array.from({ length: 50 }, () => space.recipe(randomPoint(space, random), 1)).flatMap(({ steps }) =>
        steps.flatMap((step) =>
          step.do === "tune"
            ? (step.masks?.strategy.use ?? [])
            : step.do === "prune"
              ? step.strategy.use
              : [],
        ),
      ),
    );
    expect([...used]).toEqual(expect.arrayContaining(["mine", "cut", "unstructured", "channel"]));
    const { chosen, trials } = await search({
      model,
      goal,
      workbench: { ...workbench, registry: more },
      strategies: ["mine", "cut"],
      settings: { ...request.settings, batchesPerEpoch: 2, repeats: 1 },
      evaluations: 12,
    });
    expect(trials.length).toBeGreaterThan(5);
    expect(chosen!.mean.bytes).toBeLessThanOrEqual(0.7);
  });
});

describe("the fixed recipes to compare with", () => {
  it.each(galleryAt({ bytes: 0.01 }))(
    "$label is the gallery's, at another size",
    async ({ label, recipe }) => {
      const path = new URL(`../../../recipes/${label}.yaml`, import.meta.url);
      const gallery = readRecipe(await readFile(path, "utf8"), label, registry).recipe;
      const steps = gallery.steps.map((step, i) => {
        const last = i === gallery.steps.length - 1;
        return step.do === "tune" && step.masks !== undefined && last
          ? { ...step, masks: { ...step.masks, target: { bytes: 0.01 } } }
          : step;
      });
      const { target: _, ...whole } = { ...gallery, steps };
      const own = { ...recipe, steps: recipe.steps };
      const { target, ...rest } = own;
      if (target === undefined) expect(rest).toEqual(whole);
      else expect({ ...rest, steps: rest.steps }).toEqual({ ...whole, steps: gallery.steps });
    },
  );
});
